import type { JobKeyNames, JobView, Pause, Register } from './job-view.js';

/**
 * What one run asks the nodes for. A node grants all of it or nothing.
 *
 * All durations are in milliseconds, all times in milliseconds since the epoch.
 */
export interface Claim {
  /** The name of the job or lock, for messages. */
  readonly name?: string;
  /** The key that prevents two runs of a job from overlapping. It expires with the lease. */
  readonly lock: string;
  /** The claimed tick, if the run belongs to one. */
  readonly tick?: TickClaim;
  /**
   * The marker of `every` and of `@Interval`. While it exists, no other claim with this marker is granted, except one
   * that takes over the claim that wrote it.
   */
  readonly every?: Marker;
  /** Whether runs of the job may overlap. If so, a newer run does not mean that this one has lost its lock. */
  readonly mayOverlap?: boolean;
  /** Counter of losing claims, used to rank them (`Conflict.rank`); omitted if no rank is needed. */
  readonly loserCounter?: Marker;
  /** The key that holds the `Pause` of the job; omitted if the claim is granted even while the job is paused. */
  readonly pause?: string;
  /** Where the run is put on record; omitted if it is not. */
  readonly history?: History;
  /** The part that the tokens of all attempts share: a description of the run, or a unique id. */
  readonly run?: string;
}

/** Where the runs of a job are put on record. */
export interface History {
  /**
   * The key that holds the token of the newest run that was begun, until it is settled; omitted if runs may overlap.
   */
  readonly begun?: string;
  /** The key of the list of records, newest first. */
  readonly records: string;
  /** How many records are kept. */
  readonly limit: number;
  /** How long both keys, and `TickClaim.last`, live after they were last written, in milliseconds. */
  readonly keep: number;
}

/** A key, and how long it lives after the claim. */
export interface Marker {
  /** The name of the key. */
  readonly key: string;
  /** How long it lives, in milliseconds. */
  readonly keep: number;
}

/** A claim of one tick of a job. */
export interface TickClaim extends Marker {
  /** The nominal time of the tick, in milliseconds since the epoch: its identity, the same on all instances. */
  readonly at: number;
  /**
   * The key that holds the newest settled tick of the job. After the settle, it lives as long as the records of the job
   * (`History.keep`), but at least as long as the marker and `LAST_TICK_RETENTION`.
   */
  readonly last: string;
  /**
   * Whether another claim of this tick may take it over once the lease has ended. The marker records this, and outlives
   * the lease by `LAST_TICK_RETENTION`. The lock outlives the lease by `TAKEOVER_WINDOW`, during which only this tick
   * can claim it: otherwise the next tick could come first and make this one too old. A tick that was claimed without
   * `recover` is never taken over.
   */
  readonly recover: boolean;
  /**
   * Whether this claim takes over a tick that another claim has begun. A node that does not know that the tick was
   * begun votes `'unbegun'`: the claim that began the tick may have been released, or the node may have lost its data.
   * After the release of this claim, the tick can be taken over again.
   */
  readonly isTakeover?: boolean;
  /**
   * Whether another node knows that the tick was begun. Then a node votes `'unbegun'` only if it knows no settled tick
   * of the job, either: it may have lost its data.
   */
  readonly isBegunElsewhere?: boolean;
}

/** How a node answers a claim. */
export type Vote =
  | {
      /** The whole claim has been written. */
      readonly kind: 'granted';
      /** The token of the claim that was taken over, if any. */
      readonly dead?: string;
      /** The newest settled tick before this one, in milliseconds since the epoch, if the node knows one. */
      readonly last?: number;
      /** The token of an earlier run that was begun and never settled, if any. It is put on record as `DIED`. */
      readonly unfinished?: string;
    }
  | {
      /** This tick, or a later one, is settled. */
      readonly kind: 'settled';
      /**
       * How far the newest settled tick is ahead of the node's clock, in milliseconds, if that is more than
       * `EARLY_CLAIM_TOLERANCE`: the clock has then been set back.
       */
      readonly ahead?: number;
    }
  | {
      /** The node knows of no claim that has begun the tick. */
      readonly kind: 'unbegun';
    }
  | {
      /**
       * By the node's clock, the tick is not due yet. If this is a takeover, and the node does not know that the tick
       * was begun, it votes `'unbegun'` instead, unless `isBegunElsewhere`.
       */
      readonly kind: 'early';
      /** How long until it is due, in milliseconds. */
      readonly wait: number;
    }
  | {
      /** The job is paused. */
      readonly kind: 'paused';
    }
  | Conflict;

/** Another claim holds the lock, the tick or the interval. */
export interface Conflict {
  /**
   * `'elsewhere'`: another claim has begun the tick, or is running the interval. `'overlap'`: another claim has the
   * lock, but neither this tick nor this interval. `'ran'`: the interval has had its run.
   */
  readonly kind: 'elsewhere' | 'overlap' | 'ran';
  /** The token of that claim. */
  readonly holder: string;
  /** How long until its lease ends if it is not renewed, in milliseconds; only for ticks that can be taken over. */
  readonly lease?: number;
  /** Position among the losers, starting at 1, if the claim has `loserCounter`. */
  readonly rank?: number;
}

/** A node's report on itself: what `open` resolves to, at startup and each time the node is inspected. */
export interface NodeReport {
  /** An identifier unique to this server (`run_id`), if it has one. */
  readonly identity?: string;
  /** Why this server cannot vote at all, for example because it is a read-only replica. */
  readonly unfit?: string;
  /** Warnings for the operator, such as an eviction policy that may drop locks. */
  readonly warnings: readonly string[];
  /** The node's clock minus the clock of this process, in milliseconds, if the node has a clock. */
  readonly clockOffset?: number;
}

/**
 * One voting node: an independent store that grants claims. The package includes `RedisNode` and `MemoryNode`; any
 * other store can be used if it fulfils this contract, which `LOCK_NODE_CONTRACT` of `nestjs-exclusive/testing` checks.
 * Each clause prevents one race:
 *
 * - **All or nothing, in one step.** `claim` reads and writes atomically; otherwise two instances both read, then both
 *   write.
 * - **The same token means yes.** A claim that arrives twice with one token is granted twice; otherwise a resent
 *   command would mistake its own key for that of another claim.
 * - **Keys expire by themselves**, each at its own time; otherwise a dead process blocks its job forever.
 * - **Only the holder changes a key.** `extend`, `settle` and `release` compare the token first; otherwise a slow
 *   process removes the lock of its successor.
 * - **Only dead claims are taken over.** The marker of a tick records whether its claim may be taken over, and when its
 *   lease ends; otherwise an instance with other options takes over from a live one.
 * - **A renewal tells the truth.** `extend` also checks the marker and the newest settled tick; otherwise a holder
 *   whose tick was run elsewhere gets a free lock again and continues. But it replaces a marker whose lease is over;
 *   otherwise a takeover that other nodes have denied takes the node away from a run that is alive.
 * - **No tick after its successor.** `claim` refuses a tick that is not newer than the newest settled one.
 * - **No tick of a paused job.** `claim` reads the pause in the same step; a pause that is older than the known one is
 *   not written.
 * - **No tick before its time**, by the node's clock; otherwise an instance whose clock is ahead runs a tick early, and
 *   earlier ticks that are still due elsewhere are then refused as too old.
 *
 * Time limits are not part of the contract, because the module applies them to every node. An answer that takes longer
 * than `nodeTimeout` counts as missing; a claim that is granted too late is released; a settle or a release that was
 * not answered is sent again once the node answers; and one that was rejected is sent again at intervals of up to a
 * second, for a minute. So `settle` and `release` may arrive twice. What is granted after the process has ended is not
 * released: if the store can carry out a claim or an extension long after it was sent, give both a deadline by the
 * clock of the store.
 */
export interface LockNode {
  /** The node's location, for messages: host and port, never a password. */
  readonly address: string;
  /**
   * Grants the whole claim to `token`, or nothing. Its lease lasts for `ttl` milliseconds. Rejects if it cannot answer.
   */
  claim(claim: Claim, token: string, ttl: number): Promise<Vote>;
  /**
   * Extends the lease to `ttl` milliseconds from now, if `token` holds the lock or it is free: writes the lock again,
   * and the marker of a tick with `recover`, as `claim` does. Resolves to whether `token` now holds it. That is `false`
   * if another token has the lock or the marker of the tick, or if the tick is settled. Unless runs may overlap, it is
   * also `false` if another run has begun the interval, or if a newer tick is settled and the lock is free.
   */
  extend(claim: Claim, token: string, ttl: number): Promise<boolean>;
  /**
   * Ends a run: frees the lock, keeps the markers, and records the tick as run, even if `token` no longer held the
   * lock, unless another token has the marker of the tick. Resolves to whether `token` held the lock.
   *
   * @param record What to add to the records of the job (`claim.history`). If the settle arrives again while this is
   * still the newest record, it is not added again.
   */
  settle(claim: Claim, token: string, record?: string): Promise<boolean>;
  /**
   * Undoes the claim. After a takeover, the tick can be taken over again. Resolves to whether `token` held the lock.
   */
  release(claim: Claim, token: string): Promise<boolean>;
  /** Tells what is known about a job. @param limit The maximum number of records. */
  look(job: JobKeyNames, limit: number): Promise<JobView>;
  /** Writes `pause`, if there is one, under `key`, unless a newer one is there. Resolves to what is there now. */
  pause(key: string, pause?: Pause): Promise<Pause | undefined>;
  /**
   * Renews an entry of a register for `keep` milliseconds.
   *
   * @param content What to write. Default: what is there is kept. @returns `false` if nothing is there to keep.
   */
  register(register: Register, id: string, keep: number, content?: string): Promise<boolean>;
  /** Lists the entries of a register that have not ended. */
  registered(register: Register): Promise<readonly string[]>;
  /** Connects if necessary, and inspects the server. Rejects if it cannot be reached now. */
  open(): Promise<NodeReport>;
  /** Closes what `open` opened, never a client of the application. */
  close(): Promise<void>;
}

/**
 * How early a tick may be claimed, in milliseconds: half a second, because the shortest period of a cron expression is
 * one second.
 */
export const EARLY_CLAIM_TOLERANCE = 500;

/** How long the lock of a tick with `recover` outlives its lease, reserved for a takeover, in milliseconds. */
export const TAKEOVER_WINDOW = 1000;

/**
 * How long `TickClaim.last` outlives the marker of its tick at least, in milliseconds, and how long the marker of a
 * tick with `recover` outlives its lease: one day. An instance that starts within that time learns that the tick was
 * begun.
 */
export const LAST_TICK_RETENTION = 24 * 60 * 60 * 1000;
