// What the timeline draws of one job: its runs, and the ticks without a known run.
import type { Json, ShownJob } from '../../page-data.js';
import { regularStep } from './regular-step.js';
import { DAY } from './units.js';
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
  /**
   * How many ticks it stands for, if more than one: of a gap that is long, or whose ticks are not known, only the first
   * and the last one are drawn.
   */
  readonly count?: number;
}

/** A tick that is this late, in milliseconds, may still be claimed. */
const GRACE = 15_000;
/** In a longer row of ticks that had the same fate, only the first and the last one are drawn. */
const MOST_IN_ROW = 100;
/** In a longer gap, the ticks are not looked at one by one. */
const MOST_LISTED = 1000;
/** Neither daylight saving time nor the time without it is shorter than this. */
const SEASON = 30 * DAY;

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
  const told = toldGaps(job, runs);
  const isKnown = (at: number): boolean => seen.has(at) || told.covers(at);
  const silent = silentGaps(job, runs, now).filter(({ at }) => !isKnown(at));
  const gaps = [...told.marks.filter(({ at }) => !seen.has(at)), ...silent];
  for (const { at } of silent) seen.add(at);
  gaps.push(...inferredGaps(job, runs, now, isKnown));
  const marks = [...runs, ...gaps.map((gap) => explained(gap, job, runs))];
  // A tick that was taken over or retried has several runs.
  return folded(marks.toSorted((a, b) => a.at - b.at || (a.begin ?? 0) - (b.begin ?? 0)));
}

/** The same marks, with only the first and the last one of each long row of ticks that had the same fate. */
function folded(marks: readonly Mark[]): Mark[] {
  const rows: Mark[][] = [];
  for (const mark of marks) {
    const row = rows.at(-1);
    const isAlike = row?.[0]?.kind === mark.kind && row[0].cause === mark.cause && mark.cause !== undefined;
    if (row && isAlike) row.push(mark);
    else rows.push([mark]);
  }
  return rows.flatMap((row) => {
    const [first, last] = [row[0], row.at(-1)];
    if (row.length <= MOST_IN_ROW || !first || !last) return row;
    const count = row.slice(0, -1).reduce((sum, mark) => sum + (mark.count ?? 1), 0);
    return [{ ...first, count }, last];
  });
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

/** The gaps that events have reported, and whether a tick is in one of them. Events can report a gap twice. */
function toldGaps(
  job: Job,
  runs: readonly Mark[],
): { readonly marks: readonly Mark[]; readonly covers: (at: number) => boolean } {
  const step = stepOf(job);
  const recorded = ticksOf(runs);
  const oldest = recorded.length > 0 ? Math.min(...recorded) : -Infinity;
  const marks = new Map<number, Mark>();
  const ends: [from: number, to: number][] = [];
  const covers = (at: number): boolean => marks.has(at) || ends.some(([from, to]) => from <= at && at <= to);
  for (const [from, to, count, cause, told] of job.gaps.toSorted((a, b) => b[2] - a[2])) {
    const distance = count > 1 ? (to - from) / (count - 1) : 0;
    const isEven = told === 'skipped' || count <= 2 || (step !== undefined && distance % step === 0);
    // Another instance may have run a tick that was skipped here, and its record may have been dropped since.
    const isUnsure = told === 'skipped' && gapAt(from, cause).kind === 'missed';
    const isPartlyRun = isUnsure && recorded.some((at) => from <= at && at <= to);
    const unlisted = isPartlyRun ? Math.max(0, count - MOST_LISTED) : 0;
    if (isEven && count - unlisted <= MOST_LISTED) {
      for (let index = unlisted; index < count; index++) {
        const mark = gapAt(from + index * distance, cause);
        if (!(isUnsure && mark.at < oldest) && !covers(mark.at)) marks.set(mark.at, mark);
      }
    } else if (!covers(from) || !covers(to)) {
      for (const mark of endsOfGap(from, to, count, cause)) marks.set(mark.at, mark);
      ends.push([from, to]);
    }
  }
  return { marks: [...marks.values()], covers };
}

/** The first tick of a gap, which stands for all but the last one, and the last one. */
function endsOfGap(from: number, to: number, count: number, cause: string): Mark[] {
  return [{ ...gapAt(from, cause), count: count - 1 }, gapAt(to, cause)];
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
 * equally far apart, and not across a change to or from daylight saving time, nor from runs before the schedule was
 * changed.
 */
function inferredGaps(
  job: Job,
  runs: readonly Mark[],
  now: number,
  isKnown: (at: number) => boolean,
): Mark[] {
  const { zone, status, sameSince } = job;
  const step = stepOf(job);
  if (step === undefined || sameSince === null || !leavesRecords(job)) return [];
  const next = status?.nextTick ? [Date.parse(status.nextTick)] : [];
  const known = [...ticksOf(runs), ...next].filter((at) => at >= sameSince).toSorted((a, b) => a - b);
  const offsetAt = (at: number): string => inZone(at, zone).offset;
  return known.slice(1).flatMap((to, index) => {
    const from = known[index] ?? to;
    if (to - from <= step || (to - from) % step !== 0) return [];
    const missing = (to - from) / step - 1;
    const offset = offsetAt(to);
    // In a long gap, daylight saving time may have begun and ended.
    for (let at = from; at < to; at += SEASON) if (offsetAt(at) !== offset) return [];
    const [first, last] = [from + step, to - step];
    if (missing > MOST_LISTED)
      return isKnown(first) || isKnown(last) ? [] : endsOfGap(first, last, missing, 'unknown');
    return Array.from({ length: missing }, (_one, number) => first + number * step)
      .filter((at) => !isKnown(at) && !isOpen(job, runs, { at, next: at + step }, now))
      .map((at) => gapAt(at, 'unknown'));
  });
}

/** How far apart the ticks of a job are, if that is always the same. */
function stepOf({ schedule }: Job): number | undefined {
  return schedule.kind === 'cron' ? regularStep(schedule.expression) : undefined;
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
    gap.at >= Date.parse(paused.since) &&
    gap.at < (paused.until ? Date.parse(paused.until) : Infinity)
  ) {
    return { ...gap, ...gapAt(gap.at, 'paused') };
  }
  const isDuring = (run: Mark): boolean => (run.begin ?? Infinity) < gap.at && gap.at < endOf(run);
  return runs.some(isDuring) ? { ...gap, ...gapAt(gap.at, 'overlap') } : gap;
}

const ticksOf = (runs: readonly Mark[]): number[] => runs.flatMap(({ at, isTick }) => (isTick ? [at] : []));

/** When a run ended; of one that died, when it began. */
const endOf = ({ kind, at, begin = at, end = begin }: Mark): number => (kind === 'running' ? Infinity : end);

function gapAt(at: number, cause: string): Mark {
  return { kind: cause === 'overlap' || cause === 'paused' ? cause : 'missed', at, isTick: true, cause };
}
