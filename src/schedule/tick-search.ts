import type { CronTime } from 'cron';

const SECOND = 1000;
/** How far back to look for the latest tick, in milliseconds: some eight years, as far as `cron` looks ahead. */
const HORIZON = 8 * 366 * 24 * 60 * 60 * SECOND;

/** Finds the ticks of a schedule by asking `cron`, which only looks ahead. Keeps nothing. */
export class TickSearch {
  private readonly zone: string;

  constructor(private readonly cron: CronTime) {
    // To `cron`, an empty time zone is UTC.
    this.zone = cron.timeZone ?? zoneOfOffset(cron.utcOffset ?? 0);
  }

  /** The latest tick up to `limit` and the one after it, searched from scratch. Empty if there has been none. */
  around(limit: number): readonly number[] {
    let reach = SECOND;
    let tick = this.after(limit - reach);
    while (tick > limit) {
      reach *= 2;
      if (reach > HORIZON) return [];
      tick = this.after(limit - reach);
    }
    // Between `tick` and `limit` there can be thousands more: halve what is left.
    for (let end = limit; ;) {
      const next = this.after(tick);
      if (next > limit || next <= tick) return [tick, next];
      tick = next;
      while (end - tick > SECOND) {
        const middle = tick + (end - tick) / 2;
        const found = this.after(middle);
        if (found > limit || found <= middle) end = middle;
        else tick = found;
      }
    }
  }

  /**
   * The tick after `moment`; infinity where it is further away than `cron` looks. In the night in which clocks go back,
   * `cron` takes an hour that comes twice for the one of the two that has the offset of *now*. So just before the
   * change it answers a question about a moment just after it with a time that has passed.
   */
  after(moment: number): number {
    try {
      return this.cron.getNextDateFrom(new Date(moment), this.zone).toMillis();
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }
}

/** The time zone of a `utcOffset`, in minutes, as `cron` names it. */
function zoneOfOffset(minutes: number): string {
  const hours = Math.trunc(minutes / 60);
  const rest = Math.abs(minutes - hours * 60);
  return `UTC${minutes < 0 ? '-' : '+'}${String(Math.abs(hours)).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}
