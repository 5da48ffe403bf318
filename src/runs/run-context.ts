import { AsyncLocalStorage } from 'node:async_hooks';
import type { Duration } from '../options/duration.js';

/** What a running job can know about itself. */
export interface CurrentRun {
  /** Identifies this run in its events. */
  readonly runId: string;
  /** The name of the job. */
  readonly name: string;
  /** The nominal time of the tick that this run belongs to; `null` for a plain call. */
  readonly tick: Date | null;
  /** This instance. */
  readonly instanceId: string;
  /**
   * Aborts when the run should stop: with a `LockLostError` before another instance can win, with a `RunTimeoutError`
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

/** The run that the caller is part of, across everything that it awaits. */
export const runContext = new AsyncLocalStorage<CurrentRun>();
