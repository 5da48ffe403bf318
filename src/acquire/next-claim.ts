import type { Claim } from '../nodes/lock-node.js';
import type { Denial, Undecided } from './outcome.js';

/**
 * What the next attempt of a claim asks the nodes for.
 *
 * @param result That of this attempt.
 * @param isBuffering Whether the claim may wait for a run in progress (see `Patience.buffer`).
 */
export function nextClaim(claim: Claim, result: Denial | Undecided, isBuffering: boolean): Claim {
  const { tick } = claim;
  return {
    ...claim,
    // Without the counter, a retry asks all nodes at once (unless `asksLeadFirst` is set), and is not counted as a
    // loser again. A claim that buffers and got no rank yet keeps the counter: its rank decides whether it may wait.
    loserCounter: isBuffering && isUncounted(result) ? claim.loserCounter : undefined,
    // Fewer than a majority may know that the tick was begun, because other nodes that know are down. The next attempt
    // tells the nodes that it was.
    tick: tick && result.kind === 'split' && result.isBegun ? { ...tick, isBegunElsewhere: true } : tick,
  };
}

/** Whether the claim got no rank: no quorum answered, or the nodes only said that the tick is not due yet. */
function isUncounted(result: Denial | Undecided): boolean {
  if (result.kind === 'denied') return result.reason === 'store-down' || result.reason === 'overload';
  return result.kind === 'early';
}
