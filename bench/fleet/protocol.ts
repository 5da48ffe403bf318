/** What a process full of instances is started with. It sends a message when they are connected. */
export interface Instances {
  /** The URL of the entry of a build, or `redlock`. */
  readonly contender: string;
  readonly urls: readonly string[];
  readonly count: number;
  /** In milliseconds. Default: that of the package. */
  readonly nodeTimeout?: number;
}

/** What it is then told to claim. */
export interface Order {
  /** The jobs that are due, the same on all instances. */
  readonly jobs: readonly string[];
  /** The tick, in milliseconds since the epoch; and when that is, by `monotonicNow`. */
  readonly tick: number;
  readonly due: number;
  /** How long a run takes, in milliseconds. */
  readonly work: number;
  /** The `spread` of the jobs, in milliseconds. */
  readonly spread?: number | undefined;
}

/** What became of that. */
export interface Answer {
  readonly runs: readonly { readonly job: string; readonly startedAt: number }[];
  /** How many claims ended without a quorum. */
  readonly storeDown: number;
  /** The most commands that were unanswered at once. */
  readonly inFlight: number;
  /** The longest delay of the event loop, in milliseconds. */
  readonly loopDelay: number;
}

/** Milliseconds on a clock that all processes of this machine share. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
