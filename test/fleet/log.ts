/** The list, in a Redis of its own, to which every instance writes what its jobs do. */
export const LOG_KEY = 'fleet:log';

/** One line of the log. */
export interface Entry {
  readonly is: 'start' | 'end' | 'aborted';
  readonly job: string;
  /** The nominal time of the tick, in milliseconds since the epoch; `null` for runs without one. */
  readonly tick: number | null;
  /** Which run of the job this is. */
  readonly id: string;
  readonly instance: string;
  /** The real time, in milliseconds, by the monotonic clock that all processes of the machine share. */
  readonly at: number;
}

/** Milliseconds on the clock that all processes of the machine share, and that nobody can set. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
