import { type Progress, RETRY } from './retry-policy.js';

/** How long a claim has taken, without the waits that do not count. Times in milliseconds, on the monotonic clock. */
export class Elapsed {
  private readonly least: number;
  private begin: number;
  private waited = 0;
  private limit: number;

  /**
   * @param start When the claim is made.
   * @param untilNext How long until the next tick of the job is due.
   * @param buffer With `overlap: 'buffer-one'`: how long the claim may wait for a run in progress.
   */
  constructor(
    private readonly start: number,
    nodeTimeout: number,
    untilNext: number,
    private readonly buffer: number | undefined,
  ) {
    this.begin = start;
    this.least = RETRY.overloadLimit * nodeTimeout;
    this.limit = start + Math.max(untilNext, this.least);
  }

  /** When the claim is given up if the nodes are overloaded. */
  get until(): number {
    return this.limit;
  }

  at(now: number): Pick<Progress, 'elapsed' | 'waited' | 'total' | 'isOutOfTime' | 'bufferLeft'> {
    const total = now - this.start;
    return {
      elapsed: now - this.begin,
      waited: this.waited,
      total,
      isOutOfTime: now >= this.limit,
      bufferLeft: this.buffer && this.buffer - total,
    };
  }

  /** The claim has waited for `time` for something that does not count. */
  leaveOut(time: number): void {
    this.begin += Math.max(time, 0);
  }

  /**
   * The claim waits for `delay` because the tick is not due yet by the clocks of the nodes. That does not count: the
   * clock of this instance is ahead. `total` counts it, because a claim must not wait for a run beyond the next tick by
   * this clock (see `RETRY.buffer`).
   */
  waitUntilDue(delay: number, now: number): void {
    this.leaveOut(delay);
    this.waited += delay;
    this.limit = Math.max(this.limit, now + delay + this.least);
  }
}
