// What a node stores so that jobs can be watched and controlled, in addition to what it needs to vote.

/** The pause of a job, or the end of a pause. */
export interface Pause {
  /** Whether ticks are refused. */
  readonly isPaused: boolean;
  /**
   * The pause with the highest version counts. Of two with the same version, the end of a pause counts; if that does
   * not decide, the one with the smaller `until`; if that does not decide either, the one with the greater `detail`,
   * compared by its bytes in UTF-8.
   */
  readonly version: number;
  /** Who paused or resumed it, when and why: opaque to the node. */
  readonly detail: string;
  /**
   * When it ends by itself, in milliseconds since the epoch, by the node's clock; `undefined`: never. It is remembered
   * for `PAUSE_RETENTION` after that.
   */
  readonly until: number | undefined;
}

/** The keys of a job that a node reads to tell what it knows about the job. */
export interface JobKeyNames {
  /** The key of the lock: see `Claim.lock`. */
  readonly lock: string;
  /** The key of the newest settled tick: see `TickClaim.last`. */
  readonly last: string;
  /** The key of the newest run that was begun: see `History.begun`. */
  readonly begun: string;
  /** The key of the records: see `History.records`. */
  readonly records: string;
  /** The key of the pause: see `Claim.pause`. */
  readonly pause: string;
}

/** What a node knows about a job. */
export interface JobView {
  /** The token that holds the lock. */
  readonly holder?: string;
  /** The nominal time of the newest settled tick, in milliseconds since the epoch. */
  readonly last?: number;
  /** The token of the newest run that was begun and is not settled. */
  readonly begun?: string;
  /** The newest pause, or end of a pause. */
  readonly pause?: Pause;
  /** The records of its runs, newest first. A run that never settled is `DIED`, followed by its token. */
  readonly records: readonly string[];
}

/** Where the instances of an application register themselves. */
export interface Register {
  /** The key with the end of each entry, by its id. */
  readonly ends: string;
  /** The key with the content of each entry, by its id. */
  readonly entries: string;
}

/** Precedes the token of a run that was begun and never settled, in the records of its job. */
export const DIED = 'died ';

/**
 * How long a node remembers a pause that has ended, in milliseconds: 90 days. Otherwise, a node that was down
 * meanwhile, and knows an older pause, would pause the job again.
 */
export const PAUSE_RETENTION = 90 * 24 * 60 * 60 * 1000;
