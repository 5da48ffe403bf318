/** The longest delay, in milliseconds. */
const LONGEST = 5;
/** How busy the event loop must be to count as much as one run: a quarter of the time. */
const RUN_SHARE = 0.25;

/**
 * How much later a busy instance claims a tick, in milliseconds, so that one that is less busy wins it. None while it is
 * idle. Clocks and timers differ by about a millisecond, so a single run counts two; each further one must double the
 * load.
 *
 * @param runs How many runs are in progress on this instance.
 * @param utilization The part of the time in which its event loop has been busy, from 0 to 1.
 */
export function busyDelayOf(runs: number, utilization: number): number {
  const load = runs + Math.floor(utilization / RUN_SHARE);
  return load === 0 ? 0 : Math.min(1 + Math.ceil(Math.log2(1 + load)), LONGEST);
}
