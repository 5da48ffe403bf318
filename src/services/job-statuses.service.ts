import { Inject, Injectable } from '@nestjs/common';
import { ownTick, type Trigger } from '../acquire/token.js';
import type { Clock } from '../clock.js';
import { decodePause, endOfPause } from '../records/job-pause.js';
import type { JobStatus } from '../records/job-status.js';
import type { MergedView } from '../records/merged-view.js';
import { recordedSchedule } from '../records/recorded-schedule.js';
import { isRunOf, type RecordedOutcome } from '../records/run-record.js';
import { CLOCK } from '../redlock.module-definition.js';
import { spreadOf } from '../runs/spread.js';
import { dueAfter, dueAfterIdle, nextDue } from '../schedule/due-times.js';
import { JobCallers } from './job-callers.service.js';
import { JobRecords } from './job-records.service.js';
import type { KnownJob } from './known-jobs.service.js';
import { NodeHealthWatch } from './node-health-watch.service.js';

/** How long a claim may take, in addition to its spread, before the tick counts as late, in milliseconds. */
const TOLERANCE = 1000;
/** How many records are read to find the newest run that was scheduled: newer runs may have been started by hand. */
export const RECORDS = 20;

/** Whether jobs run as they should. */
@Injectable()
export class JobStatuses {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly callers: JobCallers,
    private readonly records: JobRecords,
    private readonly health: NodeHealthWatch,
  ) {}

  /**
   * @param job What this instance knows about the job.
   * @throws StoreDownError if no node answers.
   */
  async status(name: string, job: KnownJob | undefined): Promise<JobStatus> {
    const view = await this.records.view(name, RECORDS);
    const now = this.clock.now();
    const { running, last } = view;
    const paused = decodePause(view.pause, now);
    const due = job && !running && !paused ? this.expected(job, view) : undefined;
    return {
      name,
      lastTick: last === undefined ? null : new Date(last),
      lastOutcome: lastOutcome(view),
      nextTick: job ? dateOf(this.next(job, view, now)) : null,
      overdueBy: job && due !== undefined && this.lateBy(due) >= toleranceOf(job) ? this.lateBy(due) : null,
      running: running
        ? {
            runId: running.runId,
            instanceId: running.instanceId,
            tick: dateOf(running.tick),
            startedAt: new Date(running.calledAt),
          }
        : null,
      paused,
    };
  }

  /**
   * How late a run that was due at `due` is now, in milliseconds. If the clock of this process is ahead of those of the
   * nodes, its lead is subtracted: by the other clocks, the run may not be due yet.
   */
  lateBy(due: number): number {
    return this.clock.now() - this.health.clockAhead - due;
  }

  /**
   * When the next run after the newest known one was due; `undefined` if that is not known. Milliseconds since the
   * epoch.
   */
  expected(job: KnownJob, view: MergedView): number | undefined {
    const resumed = endOfPause(view.pause, this.clock.now()) ?? Number.NEGATIVE_INFINITY;
    const idleUntil = Math.max(resumed, job.idleUntil ?? Number.NEGATIVE_INFINITY);
    const due = afterRuns(job, view, dueAfterIdle(job, this.lastOf(job, view), idleUntil));
    return Number.isFinite(due) && !job.isInner && !this.callers.isLeftOut(job) ? due : undefined;
  }

  /** The time that the next run is counted from: the newest run, or when the job became known. */
  private lastOf(job: KnownJob, view: MergedView): number {
    const { schedule, options, since, progress = since } = job;
    const { last, records } = view;
    if (typeof schedule === 'number' || options.overlap === 'allow')
      return Math.max(newestRun(job, view) ?? since, progress);
    const newest = last === undefined ? undefined : records.find((record) => isRunOf(last, record));
    // The schedule is known to be the same only if the newest tick has a record that says so. A new job has none.
    const isSame = newest?.schedule === recordedSchedule(schedule, options);
    const counted = last !== undefined && isSame ? last : Math.max(since, last ?? since);
    return Math.max(counted, newestDied(view), newestStart(job, view));
  }

  private next(job: KnownJob, view: MergedView, now: number): number {
    if (typeof job.schedule === 'number') {
      const { running } = view;
      const isCounted = running && countsForInterval(running, job.options);
      return dueAfter(job, (isCounted ? running.calledAt : newestRun(job, view)) ?? job.since, now);
    }
    // A job without a run is due at the next tick.
    const newest = (view.running && ownTick(view.running)) ?? view.last ?? Number.NEGATIVE_INFINITY;
    return dueAfter(job, Math.max(newest, newestDied(view), newestStart(job, view)), now);
  }
}

/**
 * The newest run that the nodes know of: its tick, or, for an interval, its start. `undefined` if they know of none. If
 * runs of a cron job may overlap, the result is at least `since`. Milliseconds since the epoch.
 */
export function newestRun(job: KnownJob, view: MergedView): number | undefined {
  const { schedule, options, since } = job;
  const known = newestKnown(job, view);
  if (typeof schedule === 'number' || options.overlap !== 'allow') return known;
  // If runs may overlap, nobody knows of those that began before this instance was up and are not settled.
  return Math.max(since, known ?? since);
}

/** As `newestRun`, but only from what all instances know. */
export function newestKnown({ schedule, options }: KnownJob, view: MergedView): number | undefined {
  const { last, records } = view;
  if (typeof schedule === 'number') {
    return records.find((record) => countsForInterval(record, options))?.startedAt.getTime();
  }
  const newest = Math.max(last ?? Number.NEGATIVE_INFINITY, newestDied(view));
  return Number.isFinite(newest) ? newest : undefined;
}

/**
 * How the newest run ended; `null` if that run is not on record, because all runs on record are older than the last
 * tick.
 */
function lastOutcome({ records, last = Number.NEGATIVE_INFINITY }: MergedView): RecordedOutcome | null {
  const isNewest = records.some(({ tick, startedAt }) => (tick ?? startedAt).getTime() >= last);
  return isNewest ? (records[0]?.outcome ?? null) : null;
}

/** The newest tick whose run died: it has been run, although it is not settled. Milliseconds since the epoch. */
function newestDied({ records }: MergedView): number {
  const died = records.filter(({ outcome }) => outcome === 'died');
  return Math.max(...died.map((run) => ownTick(run)?.getTime() ?? Number.NEGATIVE_INFINITY));
}

/**
 * The first due time, from `due` on, at which no run was in progress; if runs may overlap, `due` itself. Milliseconds
 * since the epoch.
 */
function afterRuns({ schedule, options }: KnownJob, { records }: MergedView, due: number): number {
  if (options.overlap === 'allow') return due;
  let free = due;
  for (const { startedAt, duration } of records.toReversed()) {
    const end = startedAt.getTime() + (duration ?? 0);
    if (startedAt.getTime() <= free && free < end) free = nextDue(schedule, end);
  }
  return free;
}

/** A plain call counts for an interval only if the job sets `every`. */
function countsForInterval(
  { trigger }: { readonly trigger: Trigger },
  { every }: KnownJob['options'],
): boolean {
  return trigger === 'schedule' || (trigger === 'call' && every !== undefined);
}

/**
 * With `every`, when the newest run began: perhaps long after its tick, and perhaps without a tick. Runs that `trigger`
 * started do not count. Milliseconds since the epoch.
 */
function newestStart({ options: { every } }: KnownJob, { records, running }: MergedView): number {
  const starts = records.filter(countsForEvery).map(({ startedAt }) => startedAt.getTime());
  if (running && countsForEvery(running)) starts.push(running.calledAt);
  return every === undefined ? Number.NEGATIVE_INFINITY : Math.max(...starts);
}

function countsForEvery({ trigger }: { readonly trigger: Trigger }): boolean {
  return trigger !== 'manual';
}

/** How late a claim of the job may be, in milliseconds. */
function toleranceOf({ options, schedule }: KnownJob): number {
  const period = typeof schedule === 'number' ? schedule : schedule.period;
  return TOLERANCE + (spreadOf('', options, { period }) ?? 0);
}

function dateOf(time: number | undefined): Date | null {
  return time !== undefined && Number.isFinite(time) ? new Date(time) : null;
}
