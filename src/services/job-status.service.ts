import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { decodePause, endOfPause } from '../records/job-pause.js';
import type { JobStatus } from '../records/job-status.js';
import type { MergedView } from '../records/merged-view.js';
import { CLOCK } from '../redlock.module-definition.js';
import { spreadOf } from '../runs/spread.js';
import { JobRecords } from './job-records.service.js';
import { dueAfter, type KnownJob, KnownJobs, nextDue } from './known-jobs.service.js';

/** How long a claim may take, in addition to its spread, before the tick counts as late, in milliseconds. */
const TOLERANCE = 1000;

/** Whether jobs run as they should. */
@Injectable()
export class JobStatuses {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: KnownJobs,
    private readonly records: JobRecords,
  ) {}

  /** @throws StoreDownError if no node answers. */
  async status(name: string): Promise<JobStatus> {
    const job = this.jobs.get(name);
    const view = await this.records.view(name, 2);
    const now = this.clock.now();
    const { running, last } = view;
    const paused = decodePause(view.pause, now);
    const due = job && !running && !paused ? this.expected(job, view) : undefined;
    return {
      name,
      lastTick: last === undefined ? null : new Date(last),
      lastOutcome: view.records[0]?.outcome ?? null,
      nextTick: job ? dateOf(this.next(job, view, now)) : null,
      overdueBy: job && due !== undefined && now - due >= toleranceOf(job) ? now - due : null,
      running: running
        ? {
            runId: running.runId,
            instanceId: running.instanceId,
            tick: dateOf(running.tick),
            startedAt: new Date(running.startedAt),
          }
        : null,
      paused,
    };
  }

  /** When the run after the newest one was due; `undefined` if that is not known. Milliseconds since the epoch. */
  expected(job: KnownJob, view: MergedView): number | undefined {
    const due = dueAfter(job, this.lastOf(job, view));
    return Number.isFinite(due) ? due : undefined;
  }

  /** The time that the next run is counted from: the newest run, the end of a pause, or when the job became known. */
  private lastOf(
    { schedule, since, progress = since }: KnownJob,
    { last, records, pause }: MergedView,
  ): number {
    const resumed = endOfPause(pause, this.clock.now()) ?? Number.NEGATIVE_INFINITY;
    if (typeof schedule === 'number')
      return Math.max(records[0]?.startedAt.getTime() ?? since, progress, resumed);
    // `false` if the newest tick belongs, or may belong, to another schedule, or if the job is new.
    const isSame =
      records.find(({ tick }) => tick !== null && tick.getTime() === last)?.schedule === schedule.fingerprint;
    return Math.max(last !== undefined && isSame ? last : Math.max(since, last ?? since), resumed);
  }

  private next({ schedule, since }: KnownJob, { records }: MergedView, now: number): number {
    if (typeof schedule !== 'number') return schedule.next(now);
    return Math.max(nextDue(schedule, records[0]?.startedAt.getTime() ?? since), now);
  }
}

/** How late a claim of the job may be, in milliseconds. */
function toleranceOf({ options, schedule }: KnownJob): number {
  const period = typeof schedule === 'number' ? schedule : schedule.period;
  return TOLERANCE + (spreadOf('', options, { period }) ?? 0);
}

function dateOf(time: number | undefined): Date | null {
  return time !== undefined && Number.isFinite(time) ? new Date(time) : null;
}
