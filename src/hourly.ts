/** The minimum time between two reports of the same thing, in milliseconds: one hour. */
export const REPEAT_AFTER = 60 * 60 * 1000;
/** How many things are reported in an hour, so that an unlimited number of job names fills neither memory nor log. */
export const REMEMBERED = 1000;

/** What may be logged once an hour. */
export class Hourly {
  /** When each thing was last reported, oldest report first. */
  private readonly reported = new Map<string, number>();

  /** @param elapsed The time on a monotonic clock, in milliseconds. */
  constructor(private readonly elapsed: () => number) {}

  /** Whether a thing may be reported, which counts as a report. */
  isDue(thing: string): boolean {
    const now = this.elapsed();
    for (const [known, at] of this.reported) {
      if (now - at < REPEAT_AFTER) break;
      this.reported.delete(known);
    }
    if (this.reported.has(thing) || this.reported.size >= REMEMBERED) return false;
    this.reported.set(thing, now);
    return true;
  }
}
