/**
 * How long to wait for stragglers once a majority has answered and the vote is contested: `milliseconds`, or `factor`
 * times as long as the majority took, whichever is longer, doubled with each of the first four contested attempts.
 * Without this limit, each contender would wait `nodeTimeout` for a hung node, and its partial grants would block the
 * others meanwhile.
 */
const STRAGGLER_GRACE = { milliseconds: 50, factor: 4 };

/** How long to wait for stragglers, in milliseconds, after a majority that took `took` milliseconds to answer. */
export function stragglerGrace(took: number, contested: number): number {
  const { milliseconds, factor } = STRAGGLER_GRACE;
  return Math.max(milliseconds, factor * took) * 2 ** Math.min(contested, 4);
}
