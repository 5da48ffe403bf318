import { performance } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';
import { busyDelayOf } from '../runs/busy-delay.js';

/** The shortest time over which the event loop is observed, in milliseconds: in less, it may have had only one turn. */
const SHORTEST_PERIOD = 500;

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
