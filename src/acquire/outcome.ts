import { NodeUnreachableError } from '../errors.js';
import type { Conflict } from '../nodes/lock-node.js';
import type { SkipReason } from '../runs/run-outcome.js';

/** A claim that a majority of the nodes has granted. */
export interface Grant {
  readonly kind: 'granted';
  /** The earliest time at which the lock can expire on a node, on the monotonic clock (`Clock.elapsed`). */
  readonly validUntil: number;
  /** The token of the claim that was taken over, if any. */
  readonly dead?: string;
  /** The newest settled tick before this one, in milliseconds since the epoch, if a node knows one. */
  readonly last?: number;
  /** The token of an earlier run of the job that never settled, if any. */
  readonly unfinished?: string;
  /**
   * Extends the lease to `ttl` milliseconds from now. Resolves to the new `validUntil`. Rejects with a `TakenError` if
   * a majority says that another claim has or had the lock, and with another error if there is no majority.
   */
  extend(ttl: number): Promise<number>;
  /**
   * Ends the run: frees the lock and records the tick as run. Rejects without a majority.
   *
   * @param record What to add to the records of the job.
   */
  settle(record?: string): Promise<void>;
  /** Undoes the claim. Rejects without a majority. */
  release(): Promise<void>;
}

/** A claim that is not granted, and the reason. */
export interface Denial {
  readonly kind: 'denied';
  readonly reason: SkipReason;
  /** How long until the holder's lease ends if it is not renewed, in milliseconds; known for ticks with `recover`. */
  readonly lease?: number;
  /** The token of the conflicting claim, if there is one. */
  readonly holder?: string;
  /**
   * Whether it is uncertain that the holder has won: only the lead node names it, or it is an earlier attempt of the
   * claim itself.
   */
  readonly isUnsure?: boolean;
  /** Whether the claim was a takeover of a tick that has not been begun. */
  readonly isUnbegun?: boolean;
  /** How far the newest settled tick is ahead of a node's clock that has been set back, in milliseconds. */
  readonly ahead?: number;
  /** Position among the losers, starting at 1, if a node counts them. */
  readonly rank?: number;
  /** Whether the nodes that could not vote refuse this lock alone, so that other claims have a quorum. */
  readonly isOfOneLock?: boolean;
  /** The error of each node that could not vote. */
  readonly causes: readonly Error[];
}

/** The result of one round of votes. */
export type VoteResult = Grant | Denial | Undecided;

/** A result that another attempt may change. */
export type Undecided =
  /** The lead node, which is asked before the others, denies the claim. */
  | { readonly kind: 'denied by lead'; readonly denial: Denial }
  /** The tick will be due on enough of the nodes in `wait` milliseconds. */
  | { readonly kind: 'early'; readonly wait: number }
  /**
   * No claim has a majority. `isPauseUnclear`: the job is paused on only some of the nodes. `isBegun`: some nodes
   * grant the takeover, so they know that the tick was begun; no node names another holder; and the nodes that vote
   * `'unbegun'`, or are no longer waited for, are fewer than a majority. `own`: an earlier attempt of the claim itself
   * is in the way.
   */
  | {
      readonly kind: 'split';
      readonly isPauseUnclear?: boolean;
      readonly isBegun?: boolean;
      readonly own?: Conflict | undefined;
    };

/** The denial that follows from a conflict with another claim. */
export function deniedBy({ kind, lease, rank, holder }: Conflict, causes: readonly Error[] = []): Denial {
  return { kind: 'denied', reason: kind === 'ran' ? 'settled' : kind, lease, rank, holder, causes };
}

/** The denial of a tick that is settled, or older than a settled one. */
export function deniedAsSettled(vote: { readonly ahead?: number }, causes: readonly Error[] = []): Denial {
  return { kind: 'denied', reason: 'settled', ahead: vote.ahead, causes };
}

/** The denial of a tick of a paused job. */
export const PAUSED: Denial = { kind: 'denied', reason: 'paused', causes: [] };

/** The denial of a claim that had no slot, or no answer, in time. */
export const OVERLOAD: Denial = { kind: 'denied', reason: 'overload', causes: [] };

/**
 * The denial of a claim without a majority of answers: `'overload'` if late answers are the only reason for that.
 *
 * @param nodes How many nodes there are. Default: the number of causes, for when no node has answered.
 */
export function withoutQuorum(causes: readonly Error[], nodes = causes.length): Denial {
  // Whether there would be a quorum without the failures of one kind.
  const onlyFor = (isSo: (cause: Error) => boolean): boolean => {
    const others = causes.filter((cause) => !isSo(cause)).length;
    return others < causes.length && 2 * (nodes - others) > nodes;
  };
  if (onlyFor(isSlow)) return { ...OVERLOAD, causes };
  return { kind: 'denied', reason: 'store-down', isOfOneLock: onlyFor(isOfOneLock), causes };
}

/** Whether the nodes are down: no quorum would vote on any claim. */
export function isDown(result: VoteResult): result is Denial {
  return result.kind === 'denied' && result.reason === 'store-down' && !result.isOfOneLock;
}

/** Whether another claim may still find out who runs the tick: the nodes did not answer, or the votes stayed split. */
export function isWinnerUnknown({ reason, holder }: Denial): boolean {
  return reason === 'store-down' || reason === 'overload' || (reason === 'elsewhere' && holder === undefined);
}

/** Whether a takeover or a catch-up may succeed later. */
export function mayComeLater(answer: Denial): boolean {
  return isWinnerUnknown(answer) || answer.reason === 'overlap' || answer.reason === 'paused';
}

/** Whether a node refuses one lock or one command but votes on others. */
function isOfOneLock(cause: Error): boolean {
  return cause instanceof NodeUnreachableError && (cause.scope === 'lock' || cause.scope === 'command');
}

/** Whether the answer of a node is late, although it answers other commands. */
function isSlow(cause: Error): boolean {
  return cause instanceof NodeUnreachableError && cause.scope === 'slow';
}

/** Whether a node that could not vote on a claim votes on others. */
export function answersOthers(cause: Error): boolean {
  return isOfOneLock(cause) || isSlow(cause);
}

/** Whether a node was never asked, so that it cannot have granted the claim. */
export function isUnsent(cause: unknown): boolean {
  return cause instanceof NodeUnreachableError && cause.scope === 'unsent';
}

/** The denial of a takeover of a tick that nobody has begun: there is nothing to run again. */
export const UNBEGUN: Denial = { kind: 'denied', reason: 'settled', isUnbegun: true, causes: [] };

/**
 * The denial of an undecided claim that is given up.
 *
 * @param isOfTick Whether it was for a tick or an interval. If not, the nodes can only say that the lock is held.
 */
export function givenUp(result: Denial | Undecided, isOfTick = true): Denial {
  switch (result.kind) {
    case 'denied':
      return result;
    case 'denied by lead':
      return { ...result.denial, isUnsure: true };
    case 'early':
      return { kind: 'denied', reason: 'early', causes: [] };
    case 'split':
      if (result.own) return { ...deniedBy(result.own), isUnsure: true };
      return { kind: 'denied', reason: isOfTick ? 'elsewhere' : 'overlap', causes: [] };
  }
}
