import type { Denial, Undecided } from './outcome.js';

/** Every delay and limit of an acquisition, in milliseconds unless it says otherwise. */
export const RETRY = {
  /** After a split vote: a random delay within `first`, doubled with each attempt, and `most` at most. */
  split: { first: 16, most: 256 },
  /** How many times `nodeTimeout` an acquisition goes on after split votes. */
  splitLimit: 10,
  /** After split votes, contenders queue at the lead node, but every Nth attempt asks all nodes: it may be holding the vote of a dead instance. */
  askAllEvery: 4,
  /** While `lock()` waits for a lock that is held: the mean delay. */
  wait: 100,
  /** A tick that finds an earlier run of its job in progress: the mean delay, and how long it waits for that run. */
  overlap: { delay: 50, limit: 250 },
  /** While no majority of the nodes can be reached. */
  storeDown: 25,
  /** A tick while a quorum is only slow, as under a crowd of claims: how many times `nodeTimeout` it goes on. */
  slowLimit: 10,
  /** A tick that is not due yet by the clocks of the nodes: the longest delay, and for how long it is asked again. */
  early: { delay: 5000, limit: 30_000 },
  /** A loser that retries as a backup, in case the winner fails: a random delay from once to twice this. */
  backup: 50,
  /** How many of the losers retry. */
  backups: 2,
} as const;

/** What an acquisition has come to. Durations in milliseconds. */
export interface Progress {
  readonly result: Denial | Undecided;
  /** How many attempts there were before this one. */
  readonly attempt: number;
  /** Time since the first attempt, less the time until the tick was due. */
  readonly elapsed: number;
  /** How long this has waited for the tick to become due. */
  readonly waited: number;
  /** How long the caller waits for a lock that is held. */
  readonly wait: number;
  readonly isTick: boolean;
  /** Whether an attempt has taken `nodeTimeout`, so that nodes may have been asked over connections that are dead. */
  readonly wasSilent: boolean;
  readonly nodeTimeout: number;
}

/**
 * How long to wait before the next attempt, in milliseconds; `undefined` to give up.
 *
 * @param random A number from 0 up to 1: instances that retry together must not collide again.
 */
export function nextDelay(progress: Progress, random: number): number | undefined {
  const { result, attempt, elapsed, waited, wait, isTick, wasSilent, nodeTimeout } = progress;
  switch (result.kind) {
    case 'early':
      return waited < RETRY.early.limit ? Math.min(result.wait, RETRY.early.delay) : undefined;
    case 'denied by lead':
      return isBackup(result.denial) ? RETRY.backup * (1 + random) : undefined;
    case 'split':
      if (elapsed >= Math.max(wait, RETRY.splitLimit * nodeTimeout)) return undefined;
      return Math.min(RETRY.split.first * 2 ** attempt, RETRY.split.most) * random;
    case 'denied':
      if (elapsed < wait) return Math.min(RETRY.wait * (0.5 + random), wait - elapsed);
      // An instance whose clock lags may run an old tick at the very moment of this one.
      if (isTick && result.reason === 'overlap' && isBackup(result) && elapsed < RETRY.overlap.limit) {
        return RETRY.overlap.delay * (0.5 + random);
      }
      if (result.reason !== 'store-down') return undefined;
      // Late answers are no outage. Retries must not make them later still.
      if (isTick && result.isSlow && elapsed < RETRY.slowLimit * nodeTimeout)
        return nodeTimeout * (0.5 + random);
      // A connection that was just cut is back in a moment. Replacing one that the network dropped in silence takes longer.
      return elapsed < nodeTimeout * (wasSilent ? 2 : 0.5) ? RETRY.storeDown : undefined;
  }
}

/** Whether this loser should retry. Without a rank, every loser does. */
function isBackup({ rank = 0 }: Denial): boolean {
  return rank <= RETRY.backups;
}
