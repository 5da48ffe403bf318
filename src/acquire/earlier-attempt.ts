import type { Claim, LockNode, Vote } from '../nodes/lock-node.js';
import { areOfOneClaim } from './token.js';

/**
 * Whether an earlier attempt of the same claim is in the way, because its answer and its release got lost. If so, releases
 * it again.
 *
 * @param token The token of the current attempt.
 */
export function releaseEarlierAttempt(node: LockNode, claim: Claim, token: string, vote: Vote): boolean {
  if (!('holder' in vote) || !areOfOneClaim(vote.holder, token)) return false;
  void node.release(claim, vote.holder).catch(() => {});
  return true;
}
