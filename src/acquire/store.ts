import type { Claim } from '../nodes/lock-node.js';
import type { VoteResult } from './outcome.js';

/** All nodes as one: where the locks live. */
export interface Store {
  /**
   * Puts the claim to the vote once. A partial grant is released before this resolves.
   *
   * @param ttl The lease, in milliseconds.
   * @param attempt How many rounds of votes this claim has had before.
   * @param isInTurn Whether to ask the other nodes only if the lead node grants the claim.
   */
  vote(claim: Claim, ttl: number, attempt?: number, isInTurn?: boolean): Promise<VoteResult>;
}

/** A majority of the nodes says that the lock belongs to another claim: asking again is pointless. */
export class TakenError extends Error {
  override readonly name = 'TakenError';

  constructor() {
    super('another instance holds the lock, or has run this tick meanwhile');
  }
}

/** Clocks of different computers drift apart by at most this part of a lease, and keys end on a whole millisecond. */
const DRIFT = { factor: 0.01, milliseconds: 2 };

/** When a lease that was requested at `asked` may end on the first of the nodes, in the worst case. */
export function validUntil(asked: number, ttl: number): number {
  return asked + ttl - ttl * DRIFT.factor - DRIFT.milliseconds;
}
