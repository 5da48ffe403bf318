/** The list, in a Redis of its own, to which every instance writes what its jobs do. */
export const LOG_KEY = 'fleet:log';
/** The hash in which is counted how often an instance has died in a tick, for `dieEvery`. */
export const DEATHS_KEY = 'fleet:deaths';

/** One line of the log. */
export interface Entry {
  /**
   * - `call`: the scheduler has called the method; `over`: that call is over, run or not run, and settled.
   * - `start` and `end`: the first and the last thing that the job itself does; `aborted`: its signal.
   */
  readonly is: 'call' | 'start' | 'aborted' | 'end' | 'over';
  readonly job: string;
  /** The nominal time of the tick, in milliseconds since the epoch; `null` for runs without one. */
  readonly tick: number | null;
  /** For `start`: the call that it belongs to, if it was not made long after one, to take a tick over. */
  readonly call?: string;
  /** For `aborted`: the name of the error. */
  readonly reason?: string;
  /** Which run of the job, or which call, this is. */
  readonly id: string;
  /** One process; one that is restarted has a new name. */
  readonly instance: string;
  /** The real time, in milliseconds, by the monotonic clock that all processes of the machine share. */
  readonly at: number;
}

/** Milliseconds on the clock that all processes of the machine share, and that nobody can set. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What the wall clock says when the monotonic clock says 0. */
export function monotonicEpoch(): number {
  return Date.now() - monotonicNow();
}
