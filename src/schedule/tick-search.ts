import type { CronTime } from 'cron';

const SECOND = 1000;
/** How far back to look for the latest tick, in milliseconds: about eight years, as far as `cron` looks ahead. */
const HORIZON = 8 * 366 * 24 * 60 * 60 * SECOND;
/** Each step looks this many times as far back as the step before. */
const GROWTH = 4;

/** Finds the ticks of a schedule by asking `cron`, which only looks ahead. Stateless. */
export class TickSearch {
  private readonly zone: string;

  constructor(private readonly cron: CronTime) {
    // To `cron`, an empty time zone is UTC.
    this.zone = cron.timeZone ?? zoneOfOffset(cron.utcOffset ?? 0);
  }

  /**
   * The latest tick up to `limit` and the next one, searched from scratch. Empty if there has been none. Each question
   * to `cron` can take a millisecond: two of them find the tick of a timer that fires on time, about five find that of
   * a regular schedule, and their number is logarithmic for any other.
   */
  around(limit: number): readonly number[] {
    // There is no tick later than `end`, up to and including `limit`.
    let end = limit;
    let reach = SECOND;
    let tick = this.after(limit - reach);
    // The last two ticks are probably as far apart as the next two.
    let gap = tick > limit ? this.gapAfter(tick) : HORIZON;
    while (tick > limit) {
      if (reach === HORIZON) return [];
      end = limit - reach;
      // By at least `gap`, not by exactly `gap`: if an hour has occurred twice, the latest tick can be further back.
      do reach = Math.min(reach * GROWTH, HORIZON);
      while (reach < gap);
      tick = this.after(limit - reach);
    }
    for (;;) {
      while (end - tick >= gap) {
        const middle = tick + (end - tick) / 2;
        const found = this.after(middle);
        if (found > limit) end = middle;
        else tick = found;
      }
      const next = this.after(tick);
      if (next > limit) return [tick, next];
      gap = next - tick;
      tick = next;
    }
  }

  /**
   * The tick after `moment`; infinity if it is further away than `cron` looks. When daylight saving time ends and an
   * hour occurs twice, `cron` uses the occurrence that has the offset in force *now*. So while the change is still
   * ahead, the answer for a `moment` just after the change can be too early. Then `cron` is asked again with the offset
   * of that moment, which selects the second occurrence.
   */
  after(moment: number): number {
    const start = new Date(moment);
    try {
      const next = this.cron.getNextDateFrom(start, this.zone);
      if (next.toMillis() > moment) return next.toMillis();
      return this.cron.getNextDateFrom(start, zoneOfOffset(next.zone.offset(moment))).toMillis();
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }

  private gapAfter(tick: number): number {
    const gap = this.after(tick) - tick;
    // Not a number if there is no tick within the horizon.
    return gap < HORIZON ? Math.max(gap, SECOND) : HORIZON;
  }
}

/** The time zone of a `utcOffset`, in minutes, as `cron` names it. */
export function zoneOfOffset(minutes: number): string {
  const hours = Math.trunc(minutes / 60);
  const rest = Math.abs(minutes - hours * 60);
  return `UTC${minutes < 0 ? '-' : '+'}${String(Math.abs(hours)).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}
