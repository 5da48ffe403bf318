import { setTimeout as pause } from 'node:timers/promises';
import type { Claim } from './lock-node.js';
import type { Grant, LossReason, Quorum, Verdict } from './quorum.js';

/** A claim that was lost. */
export interface Loss {
  readonly reason: LossReason;
  /** What was wrong with the nodes that could not vote. */
  readonly causes: readonly Error[];
  /** After how many milliseconds the lease of the winner ends if it is not renewed; known for ticks that recover. */
  readonly lease?: number;
}

/** Contenders that split a vote try again after a random pause of up to this, doubled each time, in milliseconds. */
const SPLIT_PAUSE = { first: 16, most: 256 };
/** How often to look whether what one waits for has become free, in milliseconds. */
const WAIT_PAUSE = 100;
/** How often to look whether nodes have come back, in milliseconds. */
const DOWN_PAUSE = 25;

/** Puts a claim to the vote until somebody has won. */
export class Claimant {
  /** @param nodeTimeout How long a node may take to answer, in milliseconds. */
  constructor(
    private readonly quorum: Quorum,
    private readonly nodeTimeout: number,
  ) {}

  /**
   * Claims until this claimant has won or, by the tokens that the nodes name, another one. A vote that is split so
   * that nobody has a majority is given back whole, and taken again after a random pause.
   *
   * @param ttl The lease, in milliseconds.
   * @param wait How long to go on while another one holds the lock, in milliseconds.
   * @param signal No more attempts once it has aborted.
   */
  async claim(claim: Claim, ttl: number, wait: number, signal: AbortSignal): Promise<Grant | Loss> {
    let begin = performance.now();
    for (let attempt = 0; ; attempt++) {
      const answer = await this.quorum.vote(claim, ttl);
      if (!('verdict' in answer)) return answer;
      const { verdict, causes } = answer;
      const delay = this.delay(verdict, attempt, performance.now() - begin, wait);
      if (delay === undefined || signal.aborted) {
        return verdict.is === 'lost' ? { ...verdict, causes } : { reason: 'elsewhere', causes };
      }
      // The time until a tick is due is no time spent on it.
      if (verdict.is === 'early') begin += delay;
      await pause(delay, undefined, { signal }).catch(() => {});
    }
  }

  /** How long to wait before another attempt, in milliseconds; `undefined` when there should be none. */
  private delay(verdict: Verdict, attempt: number, elapsed: number, wait: number): number | undefined {
    if (verdict.is === 'early') return verdict.wait;
    if (verdict.is === 'split') {
      const most = Math.min(SPLIT_PAUSE.first * 2 ** attempt, SPLIT_PAUSE.most);
      return elapsed < Math.max(wait, 10 * this.nodeTimeout) ? Math.random() * most : undefined;
    }
    if (elapsed < wait) return Math.min(WAIT_PAUSE * (0.5 + Math.random()), wait - elapsed);
    // A connection that has just been cut is back in a moment; one that hangs has used up the time already.
    return verdict.reason === 'store-down' && elapsed < this.nodeTimeout / 2 ? DOWN_PAUSE : undefined;
  }
}
