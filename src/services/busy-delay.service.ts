import { performance } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';

/** The shortest time over which the event loop is observed, in milliseconds: less may be a single round of it. */
const SHORTEST_PERIOD = 500;
/** The longest delay, in milliseconds. */
const LONGEST_DELAY = 5;
/** An event loop that is busy for at least this part of the time counts as much as `LOOP_LOAD` runs. */
const BUSY_LOOP = 0.9;
const LOOP_LOAD = 4;

/** How much later this instance claims a tick. */
@Injectable()
export class BusyDelay {
  private since = performance.eventLoopUtilization();
  private observedAt = performance.now();
  private utilization = 0;

  /** The delay of a claim that is made now, in milliseconds. @param runs How many runs are in progress. */
  of(runs: number): number {
    this.observe();
    return busyDelayOf(runs, this.utilization);
  }

  /** Node.js counts anyway how long the event loop is idle, so nothing needs to run in between. */
  private observe(): void {
    const now = performance.now();
    if (now - this.observedAt < SHORTEST_PERIOD) return;
    this.utilization = performance.eventLoopUtilization(this.since).utilization;
    this.since = performance.eventLoopUtilization();
    this.observedAt = now;
  }
}

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
