import { AsyncLocalStorage } from 'node:async_hooks';
import type { Duration } from '../redlock.options.js';

/** What a running job can know of itself. */
export interface CurrentRun {
  /** The name of the job. */
  readonly name: string;
  /** The nominal time of the tick that this run belongs to; `null` for a plain call. */
  readonly tick: Date | null;
  /** The instance that runs it: this one. */
  readonly instanceId: string;
  /**
   * Aborts when the run should stop: with a `LockLostError` before another instance can win, with a `TimeoutError`
   * after `maxRuntime`, or with a `ShutdownError`.
   */
  readonly signal: AbortSignal;
  /**
   * The tick in milliseconds since the epoch; `null` for a plain call. It only grows from run to run of a job: a store
   * that refuses a smaller one than it has seen is safe from a run that goes on after its lock was lost.
   */
  readonly fencingToken: number | null;
  /**
   * Renews the lock now, and from now on to `ttl` (milliseconds or a duration; default: the job's). Needed only to
   * change the ttl, or to be sure of the lock right now.
   *
   * @throws LockLostError when the lock is lost, or no majority of the nodes renews it; InvalidOptionError for a `ttl`
   * below three times `nodeTimeout`. Once `signal` has aborted: what it aborted with.
   */
  extend(ttl?: Duration): Promise<void>;
}

/** The run that the caller is in, through all that it awaits. */
export const runContext = new AsyncLocalStorage<CurrentRun>();
