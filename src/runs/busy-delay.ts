/** The longest delay, in milliseconds. */
const LONGEST_DELAY = 5;
/** An event loop that is busy for at least this part of the time counts as much as `LOOP_LOAD` runs. */
const BUSY_LOOP = 0.9;
const LOOP_LOAD = 4;

/**
 * How much later a busy instance claims a tick, in milliseconds, so that one that is less busy wins it; 0 while it is
 * idle. Clocks and timers differ by about a millisecond, so a single run already delays the claim by 2 ms. Each further
 * millisecond takes about twice the load.
 *
 * @param runs How many runs are in progress on this instance.
 * @param utilization The part of the time in which its event loop has been busy, from 0 to 1.
 */
export function busyDelayOf(runs: number, utilization: number): number {
  const load = runs + (utilization >= BUSY_LOOP ? LOOP_LOAD : 0);
  return load === 0 ? 0 : Math.min(1 + Math.ceil(Math.log2(1 + load)), LONGEST_DELAY);
}
