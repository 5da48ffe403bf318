/**
 * What one run asks of the nodes. A node grants all of it or nothing.
 *
 * All durations are milliseconds, all moments are milliseconds since the epoch.
 */
export interface Claim {
  /** The name of the job or lock, for messages. */
  readonly name?: string;
  /** The key that keeps two runs of a job apart. It ends with the lease. */
  readonly lock: string;
  /** The tick that is claimed, if the run belongs to one. */
  readonly tick?: TickClaim;
  /** The marker of `every` and of `@Interval`: nobody else may start while it exists. */
  readonly every?: Marker;
  /** Whether runs of the job may overlap, so that a newer run says nothing about the lock of this one. */
  readonly mayOverlap?: boolean;
  /** Counter of losing claims, used to rank them (`Conflict.rank`); left out if nobody asks. */
  readonly loserCounter?: Marker;
}

/** A key, and how long it lives from the moment of the claim. */
export interface Marker {
  /** The name of the key. */
  readonly key: string;
  /** How long it lives, in milliseconds. */
  readonly keep: number;
}

/** A claim of one tick of a job. */
export interface TickClaim extends Marker {
  /** The nominal time of the tick, in milliseconds since the epoch: the identity that all instances agree on. */
  readonly at: number;
  /** The key that holds the newest settled tick of the job. */
  readonly last: string;
  /**
   * Whether a claim of this same tick may take over once the lease has ended. The marker says so, and outlives the lease
   * by `LAST_TICK_RETENTION`; the lock outlives it by `TAKEOVER_WINDOW`, in which it is closed to all but this tick: otherwise the next
   * tick would come first, and make this one too old. A tick that was claimed without it is never taken over.
   */
  readonly recover: boolean;
  /** Whether this claim takes over a tick that somebody has begun. What it gives back, others may take over. */
  readonly isTakeover?: boolean;
  /** Whether a takeover does not know that the tick was begun: a node that does not either votes `'unbegun'`. */
  readonly mustBeBegun?: boolean;
}

/** How a node answers a claim. */
export type Vote =
  | {
      /** All of the claim has been written. */
      readonly kind: 'granted';
      /** The token of the claim that was taken over, if one was. */
      readonly dead?: string;
    }
  | {
      /** This tick, or a later one, is settled. */
      readonly kind: 'settled';
      /**
       * By how many milliseconds the newest settled tick is ahead of the clock of the node, if it is by more than
       * `EARLY_CLAIM_TOLERANCE`: then that clock has been set back.
       */
      readonly ahead?: number;
    }
  | {
      /** The node knows of nobody who has begun the tick. */
      readonly kind: 'unbegun';
    }
  | {
      /** By the clock of the node, the tick is not due yet. */
      readonly kind: 'early';
      /** In how many milliseconds it is due. */
      readonly wait: number;
    }
  | Conflict;

/** Another claim holds the lock, the tick or the interval. */
export interface Conflict {
  /**
   * `'elsewhere'`: the tick, or the interval, is being run. `'overlap'`: the lock is held for another tick or a plain
   * call. `'ran'`: the interval has had its run.
   */
  readonly kind: 'elsewhere' | 'overlap' | 'ran';
  /** The token of that claim. */
  readonly holder: string;
  /** After how many milliseconds its lease ends if it is not renewed; said only of ticks that can be taken over. */
  readonly lease?: number;
  /** Position among the losers, starting at 1, if the claim has `loserCounter`. */
  readonly rank?: number;
}

/** What a node says of itself when it is asked at start. */
export interface NodeReport {
  /** What makes this server different from any other (`run_id`), if it has such a thing. */
  readonly identity?: string;
  /** Why this server cannot vote at all, such as being a read-only replica. */
  readonly unfit?: string;
  /** What an operator should know, such as an eviction policy that may drop locks. */
  readonly warnings: readonly string[];
  /** The clock of the node less the clock of this process, in milliseconds, if the node tells the time. */
  readonly clockOffset?: number;
}

/**
 * One voting node: an independent store that grants claims. `RedisNode` and `MemoryNode` are the two that come with
 * the package; another store can join by keeping this contract, which `LOCK_NODE_CONTRACT` of `nestjs-exclusive/testing`
 * checks. Each clause is there to prevent one race:
 *
 * - **All or nothing, in one step.** `claim` looks and writes with nothing in between; else two instances both look,
 *   and both write.
 * - **The same token means yes.** A claim that arrives twice with one token is granted twice; else a resent command
 *   takes its own key for somebody else's.
 * - **Keys end by themselves**, each at its own time; else a dead process blocks its job for ever.
 * - **Only the holder changes a key.** `extend`, `settle` and `release` compare the token first; else a slow process
 *   removes the lock of its successor.
 * - **Only the dead are taken over.** The marker of a tick says whether its claim may be taken over, and when its lease
 *   ends; otherwise an instance whose options differ takes over from one that is alive.
 * - **A renewal tells the truth.** `extend` looks at the marker and the newest settled tick too; otherwise a holder whose
 *   tick was run elsewhere gets a free lock again, and goes on.
 * - **No tick after its successor.** `claim` refuses a tick that is not newer than the newest settled one.
 * - **No tick before its time**, by the clock of the node; else an instance whose clock is ahead runs a tick that
 *   makes the ticks before it, still due elsewhere, too old.
 * - **An answer or a rejection in bounded time.** A node that hangs must reject, and when a late claim is granted
 *   after all, release it; else an orphan blocks the job.
 */
export interface LockNode {
  /** Where the node is, for messages: host and port, never a password. */
  readonly address: string;
  /** Grants the whole claim to `token`, its lock for `ttl` milliseconds, or nothing. Rejects if it cannot answer. */
  claim(claim: Claim, token: string, ttl: number): Promise<Vote>;
  /**
   * Gives the lock (and the marker of a tick that recovers) another `ttl` milliseconds from now, if `token` holds it or
   * nobody does. Resolves to whether `token` holds it now: `false` if another token has the lock or the marker of the
   * tick, if the tick is settled, or, unless runs may overlap, if another run has begun the interval, or a newer tick is settled and
   * the lock is free.
   */
  extend(claim: Claim, token: string, ttl: number): Promise<boolean>;
  /**
   * The run is over: frees the lock, keeps the markers, and writes down that the tick has been run, whether `token`
   * still held the lock or not, unless another token has the marker of the tick. Resolves to whether it held the lock.
   */
  settle(claim: Claim, token: string): Promise<boolean>;
  /**
   * Undoes the claim, as though it had never been; a takeover leaves the tick to be taken over. Resolves to whether
   * `token` held the lock.
   */
  release(claim: Claim, token: string): Promise<boolean>;
  /** Connects, if that is needed, and looks the server over. Rejects if it cannot be reached now. */
  open(): Promise<NodeReport>;
  /** Ends what `open` began, and never what the application brought along. */
  close(): Promise<void>;
}

/** How far ahead of its time a tick may be claimed, in milliseconds: half the shortest period of a cron expression. */
export const EARLY_CLAIM_TOLERANCE = 500;

/** How long the lock of a tick that recovers is kept for its takeover after the lease has ended, in milliseconds. */
export const TAKEOVER_WINDOW = 1000;

/**
 * How much longer than its marker a node remembers the newest settled tick of a job, and how much longer than its lease a
 * tick that recovers, in milliseconds: one day. An instance that starts within that time finds that the tick was begun.
 */
export const LAST_TICK_RETENTION = 24 * 60 * 60 * 1000;
