import { contentOf, ownTick, type Trigger } from '../acquire/token.js';
import { redacted, textOf } from '../display.js';
import { DIED } from '../nodes/job-view.js';
import { VERSION } from '../version.js';

/**
 * How a run ended. `'aborted'`: its `signal` had aborted before it ended. `'died'`: it was begun and never settled, for
 * example because its process was killed.
 */
export type RecordedOutcome = 'finished' | 'failed' | 'aborted' | 'died';

/** One run of a job, as the nodes remember it. */
export interface RunRecord {
  /** Identifies the run: the same as in its events and in `current()`. */
  readonly runId: string;
  /**
   * The nominal time of the tick; `null` if the run belongs to none: a run of an `@Interval`, a manual run
   * (`trigger()`), or a plain call.
   */
  readonly tick: Date | null;
  /** The name of the instance that ran it. */
  readonly instanceId: string;
  /** When it started, by the clock of that instance; if it died: when its call was made. */
  readonly startedAt: Date;
  /** How long it ran, in milliseconds; `null` if it died. */
  readonly duration: number | null;
  /** How it ended. */
  readonly outcome: RecordedOutcome;
  /**
   * The name and the first line of the error, or of the reason why the run was aborted, at most 200 characters, without
   * what looks like a secret; `null` if there was none, or with `recordErrors: false`.
   */
  readonly error: string | null;
  /**
   * What started it: the scheduler (`'schedule'`), a takeover (`'recover'`), a catch-up because of `missed` or `spread`
   * (`'catch-up'`), `trigger()` (`'manual'`) or any other call (`'call'`).
   */
  readonly trigger: Trigger;
  /** The version of nestjs-exclusive that ran it; `null` if it died. */
  readonly package: string | null;
  /**
   * The same in two records if both runs had the same schedule, the same time zone, and the same values of the options
   * that decide which ticks run; `null` if the run belongs to no tick, or died.
   */
  readonly schedule: string | null;
}

/** What a record is stored as. Times are in milliseconds since the epoch. */
interface Stored {
  readonly run: string;
  readonly tick?: number;
  readonly on: string;
  readonly at: number;
  readonly ms: number;
  readonly outcome: Exclude<RecordedOutcome, 'died'>;
  readonly error?: string;
  readonly by: Trigger;
  readonly v: string;
  readonly schedule?: string;
}

/** Whether this is the record of the run of a tick. */
export function isRunOf(tick: number, record: RunRecord): boolean {
  return ownTick(record)?.getTime() === tick;
}

/** The maximum length of an error, in characters. */
const LONGEST_ERROR = 200;
/** How much of an error is looked at, in characters. */
const LONGEST_READ_ERROR = 10_000;

/** The text that is stored for a run. */
export function encodeRecord(record: Omit<RunRecord, 'package'>): string {
  const stored: Stored = {
    run: record.runId,
    tick: record.tick?.getTime(),
    on: record.instanceId,
    at: record.startedAt.getTime(),
    ms: Math.round(record.duration ?? 0),
    outcome: record.outcome as Stored['outcome'],
    error: record.error ?? undefined,
    by: record.trigger,
    v: VERSION,
    schedule: record.schedule ?? undefined,
  };
  return JSON.stringify(stored);
}

const OUTCOMES = { finished: true, failed: true, aborted: true } satisfies Record<Stored['outcome'], true>;

/**
 * Reads a record. Returns `undefined` if this package has not written it, or if only a later version knows its outcome.
 */
export function decodeRecord(text: string): RunRecord | undefined {
  if (text.startsWith(DIED)) return diedWith(text.slice(DIED.length));
  const stored = parsed(text);
  if (
    typeof stored?.run !== 'string' ||
    typeof stored.at !== 'number' ||
    !Object.hasOwn(OUTCOMES, stored.outcome)
  )
    return undefined;
  return {
    runId: stored.run,
    tick: stored.tick === undefined ? null : new Date(stored.tick),
    instanceId: stored.on,
    startedAt: new Date(stored.at),
    duration: stored.ms,
    outcome: stored.outcome,
    error: stored.error ?? null,
    trigger: stored.by,
    package: stored.v,
    schedule: stored.schedule ?? null,
  };
}

/** The record of a run that was begun and never settled, from its token. */
export function diedWith(token: string): RunRecord | undefined {
  const run = contentOf(token);
  if (!run) return undefined;
  return {
    runId: run.runId,
    tick: run.tick === undefined ? null : new Date(run.tick),
    instanceId: run.instanceId,
    startedAt: new Date(run.calledAt),
    duration: null,
    outcome: 'died',
    error: null,
    trigger: run.trigger,
    package: null,
    schedule: null,
  };
}

/** An error for a record: its name and its first line. */
export function recordedError(error: unknown): string {
  const [first = ''] = textOf(error)
    .slice(0, LONGEST_READ_ERROR)
    .split(/[\r\n]/, 1);
  return redacted(first).slice(0, LONGEST_ERROR);
}

function parsed(text: string): Stored | undefined {
  try {
    return JSON.parse(text) as Stored;
  } catch {
    return undefined;
  }
}
