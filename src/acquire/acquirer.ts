import { type Clock, sleep } from '../clock.js';
import type { Claim } from '../nodes/lock-node.js';
import { Backpressure, type FailedVote } from './backpressure.js';
import { type Denial, givenUp, type Grant, isDown, OVERLOAD, type VoteResult } from './outcome.js';
import { nextDelay, RETRY } from './retry-policy.js';
import type { Store } from './store.js';

/** Retries a claim until it is granted or denied. */
export class Acquirer {
  private readonly backpressure: Backpressure;

  /** @param nodeTimeout How long a node may take to answer, in milliseconds. */
  constructor(
    private readonly store: Store,
    private readonly nodeTimeout: number,
    private readonly clock: Clock,
  ) {
    this.backpressure = new Backpressure(nodeTimeout, clock);
  }

  /**
   * @param ttl The lease, in milliseconds.
   * @param wait How long to keep trying while another claim holds the lock, in milliseconds.
   * @param signal Ends the attempts when it aborts.
   * @param untilNext How long until the next tick of the job is due, in milliseconds. If the nodes are overloaded, the
   * claim is given up then, but no earlier than `RETRY.overloadLimit` allows.
   */
  async acquire(
    claim: Claim,
    ttl: number,
    wait: number,
    signal: AbortSignal,
    untilNext = wait,
  ): Promise<Grant | Denial> {
    const { nodeTimeout, clock } = this;
    const until = clock.elapsed() + Math.max(untilNext, RETRY.overloadLimit * nodeTimeout);
    const { tick } = claim;
    const about = { isTick: tick !== undefined, recovers: tick?.recover ?? false };
    let begin = clock.elapsed();
    let waited = 0;
    let asked = claim;
    let hasSplit = false;
    let took = 0;
    let hasSlot = false;
    try {
      for (let attempt = 0; ; attempt++) {
        let failed: FailedVote | undefined;
        if (!hasSlot) {
          const queuedAt = clock.elapsed();
          const slot = this.backpressure.enter(signal);
          failed = slot && (await slot);
          hasSlot = !failed;
          // Waiting for a slot does not count as elapsed time, until votes fail.
          begin += Math.max((failed?.since ?? clock.elapsed()) - queuedAt, 0);
          if (slot && hasSlot && (signal.aborted || clock.elapsed() >= until)) return OVERLOAD;
        }
        const isInTurn: boolean = hasSplit && attempt % RETRY.askAllEvery !== 0;
        const sentAt = clock.elapsed();
        const result: VoteResult = failed?.denial ?? (await this.vote(asked, ttl, attempt, isInTurn));
        if (result.kind === 'granted') return result;
        const now = clock.elapsed();
        took = Math.max(took, failed?.took ?? now - sentAt);
        const elapsed = now - begin;
        const isOutOfTime = now >= until;
        const progress = { result, attempt, elapsed, waited, wait, isOutOfTime, took, nodeTimeout };
        const delay = nextDelay({ ...progress, ...about }, Math.random());
        if (delay === undefined) return givenUp(result);
        if (result.kind === 'early') {
          // Waiting for the tick to become due does not count, either.
          begin += delay;
          waited += delay;
        }
        // A retry asks all nodes, and must not be counted as another loser.
        asked = { ...claim, loserCounter: undefined };
        hasSplit ||= result.kind === 'split';
        // While no quorum votes, a claim keeps its slot between attempts: those that wait follow its result.
        if (hasSlot && !isDown(result)) {
          this.backpressure.leave();
          hasSlot = false;
        }
        await sleep(clock, delay, signal);
        if (signal.aborted) return givenUp(result);
      }
    } finally {
      if (hasSlot) this.backpressure.leave();
    }
  }

  private async vote(claim: Claim, ttl: number, attempt: number, isInTurn: boolean): Promise<VoteResult> {
    const sentAt = this.clock.elapsed();
    const result = await this.store.vote(claim, ttl, attempt, isInTurn);
    const now = this.clock.elapsed();
    if (isDown(result)) this.backpressure.failed(result, sentAt, now);
    else this.backpressure.answered(sentAt, now);
    return result;
  }
}
