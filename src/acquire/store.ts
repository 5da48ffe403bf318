import type { Claim } from '../nodes/lock-node.js';
import type { VoteResult } from './outcome.js';

/** All nodes as one store of locks. */
export interface Store {
  /**
   * Puts the claim to the vote once. A partial grant that is known is released before this resolves. One that comes
   * late, or whose answer is lost, is released in the background.
   *
   * @param ttl The lease, in milliseconds.
   * @param contested How many attempts before this one were contested: those that split the vote and, once there has
   * been one, those that the lead node denied, unless the claim was then waiting for a run in progress.
   * @param asksLeadFirst Whether to ask the lead node first, and the other nodes only if it does not deny the claim.
   */
  vote(claim: Claim, ttl: number, contested?: number, asksLeadFirst?: boolean): Promise<VoteResult>;
}

/** A majority of the nodes says that the lock belongs to another claim: asking again is pointless. */
export class TakenError extends Error {
  override readonly name = 'TakenError';

  constructor() {
    super('another instance holds the lock, or has run this tick meanwhile');
  }
}

/** The lock was already gone, or belonged to another claim, when the claim was settled or released. */
export class NotHeldError extends Error {
  override readonly name = 'NotHeldError';

  constructor() {
    super('the claim no longer held the lock');
  }
}

/** The margin of a lease: 1 % for clock drift, and 2 ms because keys expire on whole milliseconds. */
const DRIFT = { factor: 0.01, milliseconds: 2 };

/** The earliest time at which a lease that was requested at `askedAt` can expire on a node. */
export function validUntil(askedAt: number, ttl: number): number {
  return askedAt + ttl - ttl * DRIFT.factor - DRIFT.milliseconds;
}
