import type { MissedCause, Trigger } from '../../src/index.js';
import type { Entry, Order } from './log.js';

/** One run of a job, as its instance wrote it down. Moments in milliseconds on the monotonic clock. */
export interface Run {
  readonly id: string;
  readonly job: string;
  readonly tick: number | null;
  readonly instance: string;
  readonly start: number;
  /** The call that it belongs to, if it does to one. */
  readonly call?: string;
  /** What started it, as the module says. */
  readonly trigger?: Trigger;
  /** The order in which it was started, if it was in one. */
  readonly order?: string;
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

/** One order of an operator. */
export interface Operation extends Order {
  readonly id: string;
  readonly instance: string;
  readonly asked: number;
  readonly answered?: number;
  /**
   * `done`: a pause, or its end, was confirmed. `ran`, or why a trigger did not. `failed`: it threw, so that nobody knows
   * what became of it, as if there is no answer.
   */
  readonly outcome?: string;
}

/** A call that was not run, for a reason that is not another run of the same tick. */
export interface Skip {
  readonly job: string;
  readonly tick: number | null;
  readonly instance: string;
  readonly at: number;
  readonly reason: string;
  readonly call?: string;
}

/** What an instance said of ticks that nobody ran. */
export interface MissedReport {
  readonly job: string;
  readonly instance: string;
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly cause: MissedCause;
}

/** Each list in the order of time; runs in that of their starts. */
export interface History {
  readonly runs: readonly Run[];
  readonly calls: readonly Call[];
  readonly operations: readonly Operation[];
  readonly skips: readonly Skip[];
  readonly reports: readonly MissedReport[];
}

type Open<T> = { -readonly [Key in keyof T]: T[Key] };

/** Puts the lines of the log together. */
export function historyOf(entries: readonly Entry[]): History {
  const runs = new Map<string, Open<Run>>();
  const calls = new Map<string, Open<Call>>();
  const operations = new Map<string, Open<Operation>>();
  const skips: Skip[] = [];
  const reports: MissedReport[] = [];
  for (const entry of entries) {
    const { is, id, at, job, tick, instance, call: of, reason, trigger, order } = entry;
    if (is === 'start') runs.set(id, { id, job, tick, instance, start: at, call: of, trigger, order });
    else if (is === 'call') calls.set(id, { id, job, tick, instance, at });
    else if (entry.asks) operations.set(id, { id, instance, asked: at, ...entry.asks });
    else if (is === 'skipped') skips.push({ job, tick, instance, at, reason: reason ?? '', call: of });
    else if (entry.missed) reports.push({ job, instance, at, ...entry.missed });
    const run = runs.get(id);
    const call = calls.get(id);
    const operation = operations.get(id);
    if (operation && is === 'answered') {
      operation.answered = at;
      operation.outcome = reason;
    }
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
    operations: [...operations.values()].toSorted((a, b) => a.asked - b.asked),
    skips: skips.toSorted((a, b) => a.at - b.at),
    reports: reports.toSorted((a, b) => a.at - b.at),
  };
}
