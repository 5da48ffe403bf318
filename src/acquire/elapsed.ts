import { type Progress, RETRY } from './retry-policy.js';

/** How long a claim has taken, without the waits that do not count. Times in milliseconds, on the monotonic clock. */
export class Elapsed {
  private readonly least: number;
  /** When the claim was made, plus the waits that do not count. */
  private countedFrom: number;
  private waitedUntilDue = 0;
  private limit: number;

  /**
   * @param madeAt When the claim is made.
   * @param untilNext How long until the next tick of the job is due.
   * @param buffer How long the claim may wait for a run in progress, if it does (see `Patience.buffer`).
   */
  constructor(
    private readonly madeAt: number,
    nodeTimeout: number,
    untilNext: number,
    private readonly buffer: number | undefined,
  ) {
    this.countedFrom = madeAt;
    this.least = RETRY.overloadLimit * nodeTimeout;
    this.limit = madeAt + Math.max(untilNext, this.least);
  }

  /** When the claim is given up if the nodes are overloaded. */
  get until(): number {
    return this.limit;
  }

  at(now: number): Pick<Progress, 'elapsed' | 'waitedUntilDue' | 'total' | 'isOutOfTime' | 'bufferLeft'> {
    const total = now - this.madeAt;
    return {
      elapsed: now - this.countedFrom,
      waitedUntilDue: this.waitedUntilDue,
      total,
      isOutOfTime: now >= this.limit,
      bufferLeft: this.buffer && this.buffer - total,
    };
  }

  /** The claim has waited for `time` for something that does not count. */
  leaveOut(time: number): void {
    this.countedFrom += Math.max(time, 0);
  }

  /**
   * The claim waits for `delay` because the tick is not due yet by the clocks of the nodes: the clock of this instance
   * is ahead. `elapsed` leaves that out. `total` counts it: by that clock, a claim must not wait for a run beyond the
   * next tick (see `RETRY.buffer`).
   */
  waitUntilDue(delay: number, now: number): void {
    this.leaveOut(delay);
    this.waitedUntilDue += delay;
    this.limit = Math.max(this.limit, now + delay + this.least);
  }
}
