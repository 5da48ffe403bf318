/** How long a run takes, in milliseconds. */
export const WORK = 30;

/** The list of the ticks that were run, one for each run, in seconds since the epoch. */
export function runsKey(way: string): string {
  return `runs of ${way}`;
}
