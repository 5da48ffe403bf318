import type { MissedCause, Trigger } from '../../src/index.js';

/** The list, in a Redis of its own, to which every instance writes what its jobs do. */
export const LOG_KEY = 'fleet:log';
/** The hash in which is counted how often an instance has died in a tick, for `dieEvery`. */
export const DEATHS_KEY = 'fleet:deaths';

/** What an operator orders. */
export interface Order {
  readonly kind: 'pause' | 'resume' | 'trigger';
  readonly job: string;
  /** For `pause`: how long, in milliseconds. Default: until it is resumed. */
  readonly for?: number;
}

/** One line of the log. */
export interface Entry {
  /**
   * - `call`: the scheduler has called the method; `over`: that call is over, run or not run, and settled.
   * - `start` and `end`: the first and the last thing that the job itself does; `aborted`: its signal.
   * - `asked`: an operator gives an order; `answered`: it was carried out, or was not.
   * - `skipped` and `missed`: the events of the module, but of skips only those that no other instance explains.
   */
  readonly is: 'call' | 'start' | 'aborted' | 'end' | 'over' | 'asked' | 'answered' | 'skipped' | 'missed';
  readonly job: string;
  /** The nominal time of the tick, in milliseconds since the epoch; `null` for runs without one. */
  readonly tick: number | null;
  /** For `start` and `skipped`: the call that it belongs to, if it was not made long after one, to take a tick over. */
  readonly call?: string;
  /**
   * For `aborted`: the name of the error. For `skipped`: the reason. For `answered`: `done`, for a trigger `ran` or why it
   * did not, or `failed`.
   */
  readonly reason?: string;
  /** For `start`: what started the run, as the module says. */
  readonly trigger?: Trigger;
  /** For `start`: the order that was in progress. */
  readonly order?: string;
  /** For `asked`. */
  readonly asks?: Order;
  /** For `missed`: the first and the last tick that nobody ran, and why. */
  readonly missed?: { readonly from: number; readonly to: number; readonly cause: MissedCause };
  /** Which run of the job, which call or which order this is. */
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
