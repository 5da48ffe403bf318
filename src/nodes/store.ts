import type { Claim } from './lock-node.js';
import type { Verdict } from './tally.js';

/** The nodes as one: where the locks live. */
export interface Store {
  /**
   * Puts the claim to the vote once, and gives back what was granted if that was not enough.
   *
   * @param ttl The lease, in milliseconds.
   * @param attempt How often the claim has been put to the vote before.
   * @param isInTurn Whether to go on only past the node that all contenders ask first.
   */
  vote(claim: Claim, ttl: number, attempt?: number, isInTurn?: boolean): Promise<Grant | Defeat>;
}

/** A claim that a majority of the nodes has granted. */
export interface Grant {
  /** On the monotonic clock of this process (`performance.now()`): until when no node can have let the lock go. */
  readonly validUntil: number;
  /** The token of the claim that was taken over, if one was. */
  readonly dead?: string;
  /**
   * Another `ttl` milliseconds from now. Resolves to the new `validUntil`. Rejects with a `TakenError` if a majority says
   * that somebody else has or had the lock, and with another error without a majority.
   */
  extend(ttl: number): Promise<number>;
  /** The run is over: the lock is free, the tick is written down. Rejects without a majority. */
  settle(): Promise<void>;
  /** As though the claim had never been. Rejects without a majority. */
  release(): Promise<void>;
}

/** A majority of the nodes says that the lock is no longer ours: to ask again is of no use. */
export class TakenError extends Error {
  override readonly name = 'TakenError';

  constructor() {
    super('another instance holds the lock, or has run this tick meanwhile');
  }
}

/** A vote that was not won. */
export interface Defeat {
  readonly verdict: Verdict;
  /** What was wrong with the nodes that could not vote. */
  readonly causes: readonly Error[];
}
