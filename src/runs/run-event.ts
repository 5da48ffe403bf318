import type { SkipReason } from './run-outcome.js';

/** The properties of every event. */
export interface RunEvent {
  /** Identifies the call: the same in all of its events, and in `current()`. */
  readonly runId: string;
  /** The name of the job or lock. */
  readonly name: string;
  /** The nominal time of the tick; `null` for a plain call. */
  readonly tick: Date | null;
  /** The name of this instance. */
  readonly instanceId: string;
}

/** A run that has ended. */
export interface EndedRunEvent extends RunEvent {
  /** How long the routine ran, in milliseconds. */
  readonly duration: number;
}

/** The events of a `RedlockService`, by name. */
export interface RedlockEventMap {
  /** This instance won, and the routine is about to begin. */
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
}

/** A listener for one kind of event. If it throws or rejects, the error is logged, and nothing else is affected. */
export type RedlockListener<Name extends keyof RedlockEventMap> = (event: RedlockEventMap[Name]) => unknown;
