import type { Entry } from './log.js';

/** One run of a job, as its instance wrote it down. Moments in milliseconds on the monotonic clock. */
export interface Run {
  readonly id: string;
  readonly job: string;
  readonly tick: number | null;
  readonly instance: string;
  readonly start: number;
  /** The call that it belongs to, if it does to one. */
  readonly call?: string;
  readonly aborted?: number;
  /** The name of the error that its signal aborted with. */
  readonly abortReason?: string;
  readonly end?: number;
}

/** One call of a job by the scheduler, whatever came of it. */
export interface Call {
  readonly id: string;
  readonly job: string;
  readonly tick: number | null;
  readonly instance: string;
  readonly at: number;
  /** When it was lost, or run and settled. */
  readonly over?: number;
}

export interface History {
  /** In the order of their starts. */
  readonly runs: readonly Run[];
  readonly calls: readonly Call[];
}

type Open<T> = { -readonly [Key in keyof T]: T[Key] };

/** Puts the lines of the log together. */
export function historyOf(entries: readonly Entry[]): History {
  const runs = new Map<string, Open<Run>>();
  const calls = new Map<string, Open<Call>>();
  for (const { is, id, at, job, tick, instance, call: of, reason } of entries) {
    if (is === 'start') runs.set(id, { id, job, tick, instance, start: at, call: of });
    else if (is === 'call') calls.set(id, { id, job, tick, instance, at });
    const run = runs.get(id);
    const call = calls.get(id);
    if (run && is === 'aborted') {
      run.aborted = at;
      run.abortReason = reason;
    }
    if (run && is === 'end') run.end = at;
    if (call && is === 'over') call.over = at;
  }
  return {
    runs: [...runs.values()].toSorted((a, b) => a.start - b.start),
    calls: [...calls.values()].toSorted((a, b) => a.at - b.at),
  };
}
