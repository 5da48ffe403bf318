/** The minimum time between two reports of the same thing, in milliseconds: one hour. */
export const REPEAT_AFTER = 60 * 60 * 1000;
/** How many reports are remembered, so that an unlimited number of job names cannot fill the memory. */
export const REMEMBERED = 1000;

/** What may be logged once an hour. */
export class Hourly {
  /** When each thing was last reported. */
  private readonly reported = new Map<string, number>();

  /** @param elapsed The time on a monotonic clock, in milliseconds. */
  constructor(private readonly elapsed: () => number) {}

  /** Whether a thing may be reported again, which counts as a report. */
  isDue(thing: string): boolean {
    const now = this.elapsed();
    const last = this.reported.get(thing);
    if (last !== undefined && now - last < REPEAT_AFTER) return false;
    this.reported.delete(thing);
    this.reported.set(thing, now);
    if (this.reported.size > REMEMBERED) this.reported.delete(this.reported.keys().next().value ?? '');
    return true;
  }
}
