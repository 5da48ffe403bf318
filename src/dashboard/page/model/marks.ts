// What the timeline draws of one job: its runs, and the ticks without a known run.
import type { GapTuple, Json, ShownJob } from '../../page-data.js';
import { regularStep } from './regular-step.js';
import { inZone } from './words.js';

export type Job = Json<ShownJob>;

/** What can become of a tick, in the order of the legend. */
export const KINDS = [
  ...(['ran', 'failed', 'aborted', 'died', 'running'] as const),
  ...(['missed', 'overlap', 'paused', 'due'] as const),
];
export type MarkKind = (typeof KINDS)[number];

/** One tick, plain call or gap. Times are milliseconds since the epoch. */
export interface Mark {
  readonly kind: MarkKind;
  /** The time of the tick; of a plain call, its start. */
  readonly at: number;
  /** When the run began; left out if there was none. */
  readonly begin?: number;
  /** When it ended; left out if that is unknown. */
  readonly end?: number;
  readonly isTick: boolean;
  /** Identifies the run; left out if there was none. */
  readonly runId?: string;
  readonly instance?: string;
  readonly trigger?: string;
  readonly error?: string | null;
  /** Why nobody ran it. */
  readonly cause?: string;
}

/** A tick that is this late, in milliseconds, may still be claimed. */
const GRACE = 15_000;
/** A gap is drawn as this many ticks at most. */
const MOST_IN_GAP = 100;

export const KIND_OF_OUTCOME = {
  finished: 'ran',
  failed: 'failed',
  aborted: 'aborted',
  died: 'died',
} as const;

/** The marks of a job that was read at `now`, in the order of time. */
export function marksOf(job: Job, now: number): Mark[] {
  const runs: Mark[] = job.runs.map(([runId, tick, begin, duration, outcome, instance, trigger, error]) => ({
    kind: KIND_OF_OUTCOME[outcome],
    at: tick ?? begin,
    begin,
    isTick: tick !== null,
    runId,
    instance,
    trigger,
    error,
    ...(duration === null ? {} : { end: begin + duration }),
  }));
  const current = runningMark(job);
  if (current && !runs.some(({ runId }) => runId === current.runId)) runs.push(current);
  const seen = new Set(runs.map(({ at }) => at));
  const gaps = [
    ...explainedGaps(job.gaps),
    ...silentGaps(job, runs, now),
    ...inferredGaps(job, runs, now),
  ].filter(({ at }) => !seen.has(at) && seen.add(at));
  return [...runs, ...gaps.map((gap) => explained(gap, job, runs))].toSorted((a, b) => a.at - b.at);
}

function runningMark({ status }: Job): Mark | undefined {
  if (!status?.running) return undefined;
  const { runId, tick, startedAt, instanceId } = status.running;
  const begin = Date.parse(startedAt);
  return {
    kind: 'running',
    at: tick === null ? begin : Date.parse(tick),
    begin,
    isTick: tick !== null,
    runId,
    instance: instanceId,
  };
}

/** The gaps that an event has told of. */
function explainedGaps(gaps: readonly GapTuple[]): Mark[] {
  return gaps.flatMap(([from, to, count, cause]) => {
    const ticks = Math.min(count, MOST_IN_GAP);
    const step = ticks > 1 ? (to - from) / (ticks - 1) : 0;
    return Array.from({ length: ticks }, (_one, index) => gapAt(Math.round(from + index * step), cause));
  });
}

/** The known ticks without a record. If a job has no record at all, nothing can be said about its ticks. */
function silentGaps(job: Job, runs: readonly Mark[], now: number): Mark[] {
  const known = [...job.ticks, ...ticksOf(runs)].toSorted((a, b) => a - b);
  return job.ticks.flatMap((at): Mark[] => {
    const next = known.find((tick) => tick > at) ?? Infinity;
    if (isOpen(job, runs, { at, next }, now)) return [{ kind: 'due', at, isTick: true }];
    return runs.length > 0 && leavesRecords(job) ? [gapAt(at, 'unknown')] : [];
  });
}

/**
 * The ticks that are missing between those on record, and up to the next one. With these ticks, the timeline also
 * covers the time before the dashboard was opened. They are inferred only from an expression whose ticks are all
 * equally far apart, and not across a change to or from daylight saving time.
 */
function inferredGaps(job: Job, runs: readonly Mark[], now: number): Mark[] {
  const { schedule, status } = job;
  const step = schedule.kind === 'cron' ? regularStep(schedule.expression) : undefined;
  if (step === undefined || schedule.kind !== 'cron' || !leavesRecords(job)) return [];
  const next = status?.nextTick ? [Date.parse(status.nextTick)] : [];
  const known = [...ticksOf(runs), ...next].toSorted((a, b) => a - b);
  const offsetAt = (at: number): string => inZone(at, schedule.timeZone).offset;
  return known.slice(1).flatMap((to, index) => {
    const from = known[index] ?? to;
    if (to - from <= step || (to - from) % step !== 0) return [];
    const missing = Math.min((to - from) / step - 1, MOST_IN_GAP);
    const offset = offsetAt(from);
    // In a long gap, daylight saving time may have begun and ended.
    if (offset !== offsetAt(to) || offset !== offsetAt(from + missing * step)) return [];
    return Array.from({ length: missing }, (_one, number) => from + (number + 1) * step)
      .filter((at) => !isOpen(job, runs, { at, next: at + step }, now))
      .map((at) => gapAt(at, 'unknown'));
  });
}

/**
 * Whether each tick that was run has a record, so that a tick without a record was not run. If the runs of a job may
 * overlap, its runs in progress are not known; with `every`, not every tick is meant to run; and without a quorum, a
 * tick may have been run without a record. An interval has no ticks, and the options of a job that is not declared are
 * not known.
 */
function leavesRecords({ schedule, options }: Job): boolean {
  if (schedule.kind !== 'cron' || options === null) return false;
  return options.overlap !== 'allow' && options.every === null && options.onStoreDown !== 'run';
}

/** Whether a tick may still be claimed. With `'buffer-one'`, it waits for a run in progress, until the next tick. */
function isOpen(
  { options }: Job,
  runs: readonly Mark[],
  { at, next }: { readonly at: number; readonly next: number },
  now: number,
): boolean {
  if (at + (options?.spread ?? 0) + GRACE > now) return true;
  if (options?.overlap !== 'buffer-one' || next + GRACE <= now) return false;
  return runs.some((run) => (run.begin ?? next) < next && endOf(run) + GRACE > now);
}

/** Finds the cause of a gap in what else is known: a run in progress, or a pause. */
function explained(gap: Mark, { status }: Job, runs: readonly Mark[]): Mark {
  if (gap.kind !== 'missed' || gap.cause !== 'unknown') return gap;
  const paused = status?.paused;
  if (
    paused &&
    gap.at >= Date.parse(paused.at) &&
    gap.at < (paused.until ? Date.parse(paused.until) : Infinity)
  ) {
    return gapAt(gap.at, 'paused');
  }
  const isDuring = (run: Mark): boolean => (run.begin ?? Infinity) < gap.at && gap.at < endOf(run);
  return runs.some(isDuring) ? gapAt(gap.at, 'overlap') : gap;
}

const ticksOf = (runs: readonly Mark[]): number[] => runs.flatMap(({ at, isTick }) => (isTick ? [at] : []));

/** When a run ended; of one that died, when it began. */
const endOf = ({ kind, at, begin = at, end = begin }: Mark): number => (kind === 'running' ? Infinity : end);

function gapAt(at: number, cause: string): Mark {
  return { kind: cause === 'overlap' || cause === 'paused' ? cause : 'missed', at, isTick: true, cause };
}
