import { type Denial, givenUp, type Undecided } from './outcome.js';
import { instanceOf } from './token.js';

/** Every delay and limit of an acquisition, in milliseconds unless stated otherwise. */
export const RETRY = {
  /** After a split vote: a random delay of up to `first`, doubled with each contested attempt, up to `most`. */
  split: { first: 16, most: 256 },
  /** How long an acquisition retries after split votes, as a multiple of `nodeTimeout`. */
  splitLimit: 10,
  /**
   * After split votes, and while a tick is buffered, every Nth attempt asks all nodes: the lead node may still hold the
   * lock of an instance that has died.
   */
  askAllEvery: 4,
  /** The mean delay while `lock()` waits for a lock that is held, and after an answer that came too late. */
  wait: 100,
  /**
   * If a tick finds an earlier run of its job in progress: the mean delay between attempts, and how long it waits for
   * that run. It waits longer by `slowness` times the duration of the slowest attempt, because under load it takes that
   * long to settle a run. A tick with `recover` does not wait longer: otherwise, when the lease of a dead run ended, it
   * could get the lock before that run was taken over.
   */
  overlap: { delay: 50, limit: 250, slowness: 4 },
  /**
   * With `overlap: 'buffer-one'`, and inside a takeover, a claim waits longer for the run in progress. The mean delay
   * between attempts is `part` of the time waited so far, but at least `least` and at most `most`. The wait of a tick
   * ends `margin` before the next one is due, because a cron job with `waitForCompletion` would otherwise skip that
   * tick. If the first attempt got no answer, a node may have counted the claim as a loser anyway, and counts it once
   * more in the next attempt. So in later attempts, all losers up to rank `recounted` wait, not only those up to
   * `backups`.
   */
  buffer: { part: 1 / 8, least: 50, most: 1000, margin: 50, recounted: 8 },
  /**
   * While no majority of the nodes votes: the delay between attempts, and how long the claim is retried, as `base`
   * times `nodeTimeout` plus `slowness` times the duration of the slowest attempt (at most `nodeTimeout`). A connection
   * that was cut comes back quickly. One that was dropped silently takes longer: a claim sent on it fails only after
   * `nodeTimeout`.
   */
  storeDown: { delay: 25, base: 0.5, slowness: 1.5 },
  /** How long a claim is retried, at least, while the nodes are overloaded, as a multiple of `nodeTimeout`. */
  overloadLimit: 4,
  /** If a tick is not due yet by the clocks of the nodes: the longest delay, and how long the claim is retried. */
  early: { delay: 5000, limit: 30_000 },
  /** The delay before a loser retries as a backup, in case the winner fails (randomised between 1× and 2×). */
  backup: 50,
  /** How many of the losers retry. */
  backups: 2,
} as const;

/** The progress of an acquisition. Durations in milliseconds. */
export interface Progress {
  readonly result: Denial | Undecided;
  /** The number of attempts before this one. */
  readonly attempt: number;
  /** How many attempts before this one were contested (see `Store.vote`). */
  readonly contested: number;
  /**
   * Time since the first attempt, except waits for a slot (until votes fail), for the tick to become due, or, if it is
   * buffered, for a run in progress.
   */
  readonly elapsed: number;
  /** How long the acquisition has waited for the tick to become due. */
  readonly waitedUntilDue: number;
  /** How long the caller is willing to wait for a lock that is held. */
  readonly waitLimit: number;
  readonly isTick: boolean;
  /** Time since the claim was made, with all waits. */
  readonly total: number;
  /** How much longer the claim may wait for a run in progress, if it does (see `Patience.buffer`). */
  readonly bufferLeft: number | undefined;
  /** The instance whose run it waits for (see `Patience.awaited`). */
  readonly awaited: string | undefined;
  /** Whether another instance may take the tick over. */
  readonly recovers: boolean;
  /** Whether an overloaded claim is given up now: the next tick is due, and `overloadLimit` has passed. */
  readonly isOutOfTime: boolean;
  /** How long the slowest attempt has taken. */
  readonly took: number;
  readonly nodeTimeout: number;
}

/**
 * How long to wait before the next attempt, in milliseconds; `undefined` to give up.
 *
 * @param random A number from 0 up to 1, so that instances that retry together do not collide again.
 */
export function nextDelay(progress: Progress, random: number): number | undefined {
  const { result, contested, elapsed, waitedUntilDue, waitLimit } = progress;
  const { isTick, recovers, isOutOfTime, took, nodeTimeout } = progress;
  if (waitsForRun(progress)) return bufferDelay(progress, random);
  switch (result.kind) {
    case 'early':
      return waitedUntilDue < RETRY.early.limit ? Math.min(result.wait, RETRY.early.delay) : undefined;
    case 'denied by lead':
      return isBackup(result.denial) ? RETRY.backup * (1 + random) : undefined;
    case 'split':
      if (elapsed >= Math.max(waitLimit, RETRY.splitLimit * nodeTimeout)) return undefined;
      return Math.min(RETRY.split.first * 2 ** contested, RETRY.split.most) * random;
    case 'denied':
      if (elapsed < waitLimit) return Math.min(RETRY.wait * (0.5 + random), waitLimit - elapsed);
      // An instance whose clock lags may be running an old tick just when this one is due.
      if (
        isTick &&
        result.reason === 'overlap' &&
        isBackup(result) &&
        elapsed < RETRY.overlap.limit + (recovers ? 0 : RETRY.overlap.slowness * took)
      ) {
        return RETRY.overlap.delay * (0.5 + random);
      }
      // Late answers are not an outage.
      if (result.reason === 'overload') return isOutOfTime ? undefined : RETRY.wait * (0.5 + random);
      if (result.reason !== 'store-down') return undefined;
      return isStillRetried(elapsed, took, nodeTimeout) ? RETRY.storeDown.delay : undefined;
  }
}

/** Whether a claim that may wait for a run in progress has found one. */
export function waitsForRun({
  result,
  bufferLeft,
  awaited,
}: Pick<Progress, 'result' | 'bufferLeft' | 'awaited'>): boolean {
  if (bufferLeft === undefined || result.kind === 'split') return false;
  const { reason, holder = '' } = givenUp(result);
  return reason === 'overlap' && (awaited === undefined || instanceOf(holder) === awaited);
}

function bufferDelay(progress: Progress, random: number): number | undefined {
  const { result, attempt, total, bufferLeft = 0 } = progress;
  const { part, least, most, recounted } = RETRY.buffer;
  const { rank = 0 } = givenUp(result);
  if (rank > (attempt === 0 ? RETRY.backups : recounted) || bufferLeft <= 0) return undefined;
  const mean = Math.min(Math.max(total * part, least), most);
  return Math.min(mean * (0.5 + random), bufferLeft);
}

/** Whether a claim is still retried after `elapsed` milliseconds without a quorum: see `RETRY.storeDown`. */
export function isStillRetried(elapsed: number, took: number, nodeTimeout: number): boolean {
  const { base, slowness } = RETRY.storeDown;
  return elapsed < base * nodeTimeout + slowness * Math.min(took, nodeTimeout);
}

/** Whether this loser should retry. Without a rank, every loser does. */
export function isBackup({ rank = 0 }: Denial): boolean {
  return rank <= RETRY.backups;
}
