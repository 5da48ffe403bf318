/** What an instance is started with. It sends a message when its jobs run. Durations in milliseconds. */
export interface ShareInstance {
  /** The URL of the entry of a build. */
  readonly entry: string;
  readonly urls: readonly string[];
  /** A new one for each round: the runs that are cut off at its end still hold their locks. */
  readonly keyPrefix: string;
  /** How far its clock is ahead. */
  readonly ahead: number;
  /** For how much of every 10 ms its event loop is blocked. */
  readonly blocked: number;
  readonly jobs: readonly ShareJob[];
}

export interface ShareJob {
  readonly cron: string;
  readonly spread: number;
  /** How long a run waits, after it has kept the processor busy for a moment. */
  readonly work: number;
}

/** What it is then asked for: what it has won of the ticks from one time up to another, in milliseconds since the epoch. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

export interface Win {
  /** The job and the tick. */
  readonly run: string;
  /** How many runs were in progress on the instance. */
  readonly others: number;
}
