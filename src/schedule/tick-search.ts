import type { CronTime } from 'cron';

const SECOND = 1000;
/** How far back to look for the latest tick, in milliseconds: about eight years, as far as `cron` looks ahead. */
const HORIZON = 8 * 366 * 24 * 60 * 60 * SECOND;

/** Finds the ticks of a schedule by asking `cron`, which only looks ahead. Stateless. */
export class TickSearch {
  private readonly zone: string;

  constructor(private readonly cron: CronTime) {
    // To `cron`, an empty time zone is UTC.
    this.zone = cron.timeZone ?? zoneOfOffset(cron.utcOffset ?? 0);
  }

  /** The latest tick up to `limit` and the next one, searched from scratch. Empty if there has been none. */
  around(limit: number): readonly number[] {
    let reach = SECOND;
    let tick = this.after(limit - reach);
    while (tick > limit) {
      reach *= 2;
      if (reach > HORIZON) return [];
      tick = this.after(limit - reach);
    }
    // There may be thousands of ticks between `tick` and `limit`, so use a binary search.
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
   * The tick after `moment`; infinity if it is further away than `cron` looks. When daylight saving time ends and an
   * hour occurs twice, `cron` uses the occurrence that has the *current* offset. So just before the change, it may
   * answer a question about a moment just after it with a time in the past.
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
