/** How many votes may be in flight at first, at least, and at most. */
const [FIRST, LEAST, MOST] = [64, 4, 1024];
/** The factor by which the limit decreases when the answers take too long. */
const DECREASE = 0.7;
/** How long it takes to forget a fast answer, in milliseconds: the network may have become slower since. */
const FORGET_AFTER = 30_000;

/**
 * Limits how many votes of this instance may be in flight at once, by the latency of the answers: it shows how long the
 * queue is at the nodes, which all instances share. Additive increase, multiplicative decrease, with a slow start, as
 * in TCP (RFC 5681).
 */
export class VoteLimit {
  private limit = FIRST;
  /** Below this, the limit grows by one with each answer; above it, by one with each round of answers. */
  private threshold = MOST;
  private fastest: number | undefined;
  private answeredAt = Number.NEGATIVE_INFINITY;
  private decreasedAt = Number.NEGATIVE_INFINITY;

  /** @param tolerance By how much an answer may be slower than the fastest, in milliseconds. */
  constructor(private readonly tolerance: number) {}

  get current(): number {
    return Math.floor(this.limit);
  }

  /**
   * Adjusts the limit to an answer. Times are on the monotonic clock.
   *
   * @param isReached Whether other votes are waiting because of the limit.
   */
  answered(sentAt: number, now: number, isReached: boolean): void {
    const latency = now - sentAt;
    const before = this.fastest ?? latency;
    const forgotten = Math.min(1, (now - this.answeredAt) / FORGET_AFTER);
    this.fastest = Math.min(latency, before + forgotten * (latency - before));
    this.answeredAt = now;
    if (latency > this.fastest + this.tolerance) {
      // Votes that were sent before the last decrease say nothing about its effect.
      if (sentAt < this.decreasedAt) return;
      this.limit = this.threshold = Math.max(LEAST, this.limit * DECREASE);
      this.decreasedAt = now;
    } else if (isReached) {
      this.limit = Math.min(MOST, this.limit + (this.limit < this.threshold ? 1 : 1 / this.limit));
    }
  }
}
