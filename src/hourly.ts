/** The minimum time between two reports of the same thing, in milliseconds: one hour. */
export const REPEAT_AFTER = 60 * 60 * 1000;
/** How many things of a kind are reported in an hour, at most, so that many jobs fill neither memory nor log. */
export const MOST_REPORTS = 1000;

/** What may be logged once an hour. */
export class Hourly {
  /** When the things of each kind were last reported, oldest report first. */
  private readonly reported = new Map<string, Map<string, number>>();

  /** @param elapsed The time on a monotonic clock, in milliseconds. */
  constructor(private readonly elapsed: () => number) {}

  /** Whether a thing of a kind may be reported; if so, it counts as reported. Each kind has a limit of its own. */
  isDue(kind: string, thing = ''): boolean {
    const now = this.elapsed();
    const reported = this.reported.get(kind) ?? new Map<string, number>();
    this.reported.set(kind, reported);
    for (const [known, at] of reported) {
      if (now - at < REPEAT_AFTER) break;
      reported.delete(known);
    }
    if (reported.has(thing) || reported.size >= MOST_REPORTS) return false;
    reported.set(thing, now);
    return true;
  }
}
