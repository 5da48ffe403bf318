import { AsyncLocalStorage } from 'node:async_hooks';
import type { Duration } from '../options/duration.js';
import { currentFiring, type Firing } from '../schedule/firing.js';

/** What a running job can learn about itself. */
export interface CurrentRun {
  /** Identifies this run in its events. */
  readonly runId: string;
  /** The name of the job. */
  readonly name: string;
  /** The nominal time of the tick that this run belongs to; `null` for a plain call. */
  readonly tick: Date | null;
  /** The name of this instance. */
  readonly instanceId: string;
  /**
   * Aborts when the run should stop: with a `LockLostError` before another instance can acquire the lock, with a
   * `RunTimeoutError` after `maxRuntime`, or with a `ShutdownError`.
   */
  readonly signal: AbortSignal;
  /**
   * The tick in milliseconds since the epoch; `null` for a plain call. It never decreases from run to run of a job: a
   * database that rejects a smaller fencing token than it has seen is safe from a run that continues after its lock was
   * lost.
   */
  readonly fencingToken: number | null;
  /**
   * Renews the lock now, and uses `ttl` (milliseconds or a duration; default: the job's) from now on. Needed only to
   * change the ttl, or to make sure of the lock right now.
   *
   * @throws LockLostError if the lock is lost, or no majority of the nodes renews it; InvalidOptionError for a `ttl`
   * below three times `nodeTimeout`. Once `signal` has aborted: its reason.
   */
  extend(ttl?: Duration): Promise<void>;
}

/** The run that the caller is part of, across everything that it awaits. */
export const runContext = new AsyncLocalStorage<CurrentRun>();

/** The runs whose routine has not ended: a timer, for example, can outlive the run that has set it. */
const inProgress = new WeakMap<
  CurrentRun,
  { readonly firing: Firing | undefined; readonly outer: CurrentRun | undefined }
>();

/** Notes that the routine of a run begins. */
export function runBegins(run: CurrentRun): void {
  inProgress.set(run, { firing: currentFiring(), outer: runContext.getStore() });
}

/** Notes that the routine of a run has ended. */
export function runEnds(run: CurrentRun): void {
  inProgress.delete(run);
}

/**
 * The run of this instance that a call is part of, because the call is made in it, under its name; `undefined` if there
 * is none.
 *
 * @param nameOfCall Computes the name of the call, which can be costly; `undefined` if it has none.
 */
export function ownRun(instanceId: string, nameOfCall: () => string | undefined): CurrentRun | undefined {
  for (const run of runsOfCaller()) {
    if (run.instanceId === instanceId && run.name === nameOfCall()) return run;
  }
  return undefined;
}

/** The runs in progress that the caller is part of, the innermost first. A firing within a run does not belong to it. */
export function* runsOfCaller(): Generator<CurrentRun> {
  const firing = currentFiring();
  let run = runContext.getStore();
  while (run) {
    const known = inProgress.get(run);
    if (!known || (firing && firing !== known.firing)) return;
    yield run;
    run = known.outer;
  }
}
