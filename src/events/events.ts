import { types } from 'node:util';
import type { Trigger } from '../acquire/token.js';
import type { DriftKind } from '../records/drift.js';
import type { SkipReason } from '../runs/run-outcome.js';

/** The properties of every event about one call. */
export interface RunEvent {
  /** Identifies the call: the same in all of its events, and in `current()`. */
  readonly runId: string;
  /** The name of the job. */
  readonly name: string;
  /** The same, or `ClassName.method(…)` if the name depends on the arguments of a call: for labels of metrics. */
  readonly pattern: string;
  /** The nominal time of the tick; `null` if the call belongs to none, as with `@Interval`, or for a plain call. */
  readonly tick: Date | null;
  /** The name of this instance. */
  readonly instanceId: string;
  /** What started the call. */
  readonly trigger: Trigger;
}

/** A run that has ended. */
export interface EndedRunEvent extends RunEvent {
  /** How long the routine ran, in milliseconds. */
  readonly duration: number;
}

/**
 * Why ticks had no complete run. `'overlap'`: an earlier run was in progress. `'paused'`: the job was paused; this
 * instance saw it, or the nodes remember it as the last pause. `'died'`: the run of the tick was begun and never
 * settled, or the tick found the lock of such a run. `'store-down'`: no majority of the nodes voted. `'overload'`:
 * there were too many claims for the nodes or for this process. `'unknown'`: this instance knows of no reason, for
 * example because no instance was up.
 */
export type MissedCause = 'overlap' | 'paused' | 'died' | 'store-down' | 'overload' | 'unknown';

/** Consecutive ticks of a job that had no complete run. */
export interface MissedEvent {
  /** The name of the job. */
  readonly name: string;
  /** The same, or `ClassName.method(…)` if the name depends on the arguments of a call. */
  readonly pattern: string;
  /** The name of this instance, which has won the tick that follows. */
  readonly instanceId: string;
  /** The first tick that was missed. */
  readonly from: Date;
  /** The last tick that was missed. */
  readonly to: Date;
  /** How many there are. If there are more than 1,000, only the newest 1,000 are counted. */
  readonly count: number;
  /** Why. */
  readonly cause: MissedCause;
}

/** A job that should have run by now, and has not. */
export interface OverdueEvent {
  /** The name of the job. */
  readonly name: string;
  /** The same, or `ClassName.method(…)` if the name depends on the arguments of a call. */
  readonly pattern: string;
  /** The name of the instance that has noticed. */
  readonly instanceId: string;
  /** When the next run was due. */
  readonly expected: Date;
  /**
   * How late it is, in milliseconds. If the clock of the instance is ahead of the clocks of the nodes, up to 30 seconds
   * of that are left out.
   */
  readonly by: number;
}

/** Instances of one fleet that disagree. */
export interface DriftEvent {
  /** What it is about: a job, the list of nodes, or an `instanceId` that several processes have. */
  readonly kind: DriftKind;
  /** The job that they disagree on; `null` if it is not about a job. */
  readonly name: string | null;
  /** The name of this instance, which has noticed. */
  readonly instanceId: string;
  /** What they disagree on, as a sentence. */
  readonly message: string;
  /**
   * The instances that differ from the longest-running one (for a job: the longest-running one that declares it), or
   * whose `instanceId` another instance has, too.
   */
  readonly instances: readonly string[];
}

/** The events of a `RedlockService`, by name. */
export interface RedlockEventMap {
  /** The routine is about to begin here: this instance has won, or runs without a quorum (`onStoreDown: 'run'`). */
  started: RunEvent;
  /** The routine has returned. */
  finished: EndedRunEvent;
  /** The routine threw. */
  failed: EndedRunEvent & {
    /** What it threw. */
    readonly error: unknown;
  };
  /** This instance did not run it: the normal case for all instances but one. */
  skipped: RunEvent & {
    /** Why not. */
    readonly reason: SkipReason;
  };
  /** The `signal` of the run has aborted: its lock was lost, it took too long, or the application is shutting down. */
  aborted: RunEvent & {
    /** The reason: a `LockLostError`, a `RunTimeoutError` or a `ShutdownError`. */
    readonly error: Error;
  };
  /**
   * Ticks had no complete run, as far as the nodes knew when the next tick was claimed. Emitted by the instance that
   * won the next tick. The tick of a run that had ended, but could not be settled by then, counts as missed, too, with
   * the cause `'died'` or `'unknown'`.
   */
  missed: MissedEvent;
  /**
   * A run has been due for longer than `overdueAfter`. Emitted once, by one instance, and not again until the scheduler
   * has run the job or a pause has ended; without a quorum, by each instance that notices.
   */
  overdue: OverdueEvent;
  /** Instances that have been up for at least ten minutes disagree on a job or on the nodes. */
  drift: DriftEvent;
}

/** A listener for one kind of event. If it throws or rejects, the error is logged, and nothing else is affected. */
export type RedlockListener<Name extends keyof RedlockEventMap> = (event: RedlockEventMap[Name]) => unknown;

/** A copy of an event with dates of its own: whoever is told of the event may change them. */
export function copyOf<Event extends object>(event: Event): Event {
  const copy = { ...event };
  for (const [key, value] of Object.entries(event)) {
    if (types.isDate(value)) Reflect.set(copy, key, new Date(value));
  }
  return copy;
}
