import { setTimeout as pause } from 'node:timers/promises';
import type { Claim } from '../nodes/lock-node.js';
import { type Denial, givenUp, type Grant } from './outcome.js';
import { nextDelay, RETRY } from './retry-policy.js';
import type { Store } from './store.js';

/** Retries a claim until it is granted or denied. */
export class Acquirer {
  /** @param nodeTimeout How long a node may take to answer, in milliseconds. */
  constructor(
    private readonly store: Store,
    private readonly nodeTimeout: number,
  ) {}

  /**
   * @param ttl The lease, in milliseconds.
   * @param wait How long to keep trying while another claim holds the lock, in milliseconds.
   * @param signal Ends the attempts when it aborts.
   */
  async acquire(claim: Claim, ttl: number, wait: number, signal: AbortSignal): Promise<Grant | Denial> {
    const { nodeTimeout } = this;
    let begin = performance.now();
    let waited = 0;
    let asked = claim;
    let hasSplit = false;
    let took = 0;
    for (let attempt = 0; ; attempt++) {
      const isInTurn = hasSplit && attempt % RETRY.askAllEvery !== 0;
      const began = performance.now();
      const result = await this.store.vote(asked, ttl, attempt, isInTurn);
      if (result.kind === 'granted') return result;
      const now = performance.now();
      took = Math.max(took, now - began);
      const wasSilent = took >= nodeTimeout;
      const progress = { result, attempt, elapsed: now - begin, waited, wait, wasSilent, took, nodeTimeout };
      const { tick } = claim;
      const about = { isTick: tick !== undefined, recovers: tick?.recover ?? false };
      const delay = nextDelay({ ...progress, ...about }, Math.random());
      if (delay === undefined) return givenUp(result);
      if (result.kind === 'early') {
        // Waiting for the tick to become due does not count as elapsed time.
        begin += delay;
        waited += delay;
      }
      // A retry asks all nodes, and is not counted as a loser again.
      asked = { ...claim, loserCounter: undefined };
      hasSplit ||= result.kind === 'split';
      await pause(delay, undefined, { signal }).catch(() => {});
      if (signal.aborted) return givenUp(result);
    }
  }
}
