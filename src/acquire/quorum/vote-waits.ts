/**
 * How long the lead node may take before the others are asked too: `milliseconds`, or `factor` times its latency,
 * whichever is longer.
 */
const LEAD_WAIT = { milliseconds: 200, factor: 2 };
/**
 * How long to wait for stragglers once a majority has answered and the vote is contested: `milliseconds`, or `factor`
 * times as long as the majority took, whichever is longer. Without this limit, each contender would wait `nodeTimeout`
 * for a hung node, and its partial grants would block the others meanwhile.
 */
const STRAGGLER_GRACE = { milliseconds: 50, factor: 4 };
/** Both are doubled with each contested attempt, up to this many. */
const DOUBLED = 4;

/**
 * How long the lead node may take before the others are asked too, in milliseconds. It has longer after split votes: if
 * contenders did not wait for it, they would not queue there, and would split the vote again and again.
 *
 * @param latency That of the lead node, in milliseconds.
 * @param contested How many attempts before this one were contested (see `Store.vote`).
 */
export function leadWait(latency: number, contested: number): number {
  const { milliseconds, factor } = LEAD_WAIT;
  return Math.max(milliseconds, factor * latency) * patience(contested);
}

/**
 * How long to wait for stragglers, in milliseconds.
 *
 * @param took How long the majority took to answer, in milliseconds.
 * @param contested How many attempts before this one were contested (see `Store.vote`).
 */
export function stragglerGrace(took: number, contested: number): number {
  const { milliseconds, factor } = STRAGGLER_GRACE;
  return Math.max(milliseconds, factor * took) * patience(contested);
}

function patience(contested: number): number {
  return 2 ** Math.min(contested, DOUBLED);
}
