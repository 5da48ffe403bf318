import type { Claim, Conflict, LockNode, Vote } from '../nodes/lock-node.js';
import { isEarlierAttempt } from './token.js';

/**
 * If an earlier attempt of the same claim is in the way, because its answer and release got lost, releases it again.
 *
 * @param token The token of the current attempt.
 * @returns The conflict with the earlier attempt, if that is what the node voted.
 */
export function releaseEarlierAttempt(
  node: LockNode,
  claim: Claim,
  token: string,
  vote: Vote,
): Conflict | undefined {
  if (!('holder' in vote) || !isEarlierAttempt(vote.holder, token)) return undefined;
  void node.release(claim, vote.holder).catch(() => {});
  return vote;
}
