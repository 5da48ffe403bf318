/**
 * Once a majority has answered and the vote is contested, stragglers get this long, in milliseconds, or this many times
 * as long as the majority took, whichever is longer; doubled with each further attempt. Otherwise a hung node would
 * keep each contender's partial votes blocking the others for `nodeTimeout`.
 */
const STRAGGLER_GRACE = { milliseconds: 50, factor: 4 };

/** How long stragglers may take once a majority has answered, which took `took`, in milliseconds. */
export function straggle(took: number, attempt: number): number {
  const { milliseconds, factor } = STRAGGLER_GRACE;
  return Math.max(milliseconds, factor * took) * 2 ** Math.min(attempt, 4);
}
