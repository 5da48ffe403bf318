import { Inject, Injectable } from '@nestjs/common';
import type { Clock, Timer } from '../clock.js';
import { decodePause } from '../records/job-pause.js';
import type { MergedView } from '../records/merged-view.js';
import { CLOCK } from '../redlock.module-definition.js';
import { LONGEST_TIMER } from '../options/duration.js';
import { spreadOf } from '../runs/spread.js';
import type { Tick } from '../schedule/cron-ticks.js';
import type { CronFiring } from '../schedule/firing.js';
import type { CronSchedule } from '../schedule/schedule-of.js';
import { turn } from '../schedule/turns.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { Fleet } from './fleet.service.js';
import { JobRecords } from './job-records.service.js';
import { JobRunner } from './job-runner.service.js';
import { KnownJobs } from './known-jobs.service.js';
import { Recovery } from './recovery.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** How many records are read to find out whether the tick found a run in progress. */
const RECORDS = 20;

/** A job whose missed ticks are made up for. */
interface Candidate extends DeclaredJob {
  readonly schedule: CronSchedule;
}

/** Makes up for the latest missed tick of the jobs with `missed`. */
@Injectable()
export class CatchUp {
  /** The jobs with `missed`, by name. Listing them takes time for each job that there is. */
  private readonly candidates = new Map<string, Candidate>();
  /** The jobs that were found paused, each with the timer of a pause that ends by itself. */
  private readonly pauses = new Map<string, Timer | undefined>();
  /** The timers of the jobs whose last claim was not decided. */
  private readonly undecided = new Map<string, Timer | undefined>();

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: ExclusiveJobs,
    private readonly firings: SchedulerFirings,
    private readonly records: JobRecords,
    private readonly runner: JobRunner,
    private readonly recovery: Recovery,
    private readonly known: KnownJobs,
    private readonly fleet: Fleet,
  ) {}

  /** Looks for missed ticks of all jobs: when the application has started, and when a quorum votes again. */
  look(): void {
    for (const job of this.jobs.declared()) {
      const { name, schedule, options } = job;
      if (schedule.kind === 'cron' && options.missed !== undefined)
        this.candidates.set(name, { ...job, schedule });
    }
    for (const name of this.candidates.keys()) this.lookFor(name);
  }

  /** Looks for a missed tick of this job: when it is paused or resumed, and when its pause ends. */
  lookFor(name: string): void {
    const job = this.candidates.get(name);
    // If no node answers, `look` is called when a quorum votes again.
    if (job) void this.lookAt(job).catch(() => this.fleet.suspect());
  }

  /** A tick of this job was skipped because the job is paused. */
  paused(name: string): void {
    if (!this.pauses.has(name)) this.lookFor(name);
  }

  /** Looks whether paused jobs have been resumed, which other instances may have done. */
  lookAtPaused(): void {
    for (const name of this.pauses.keys()) this.lookFor(name);
  }

  private async lookAt(job: Candidate): Promise<void> {
    await turn();
    const { name, options, call, schedule } = job;
    // If the scheduler is off, or the job is stopped, this instance is not meant to run it.
    if (!this.firings.isMounted(schedule)) return;
    const { ticks } = schedule;
    let view = await this.records.view(name, RECORDS);
    const pause = decodePause(view.pause, this.clock.now());
    this.clock.clearTimeout(this.pauses.get(name));
    this.pauses.delete(name);
    if (pause) return void this.pauses.set(name, this.lookAgain(name, pause.until?.getTime()));
    if (options.recover) {
      // A tick that was begun cannot be taken over once a later one is settled.
      await this.recovery.search(job, schedule);
      view = await this.records.view(name, RECORDS);
    }
    const now = this.clock.now();
    const tick = ticks.latest(now);
    if (!tick || now - tick.at > (options.missed ?? 0) || !this.isMissed(job, tick, view)) return;
    const firing = (): CronFiring => this.firings.ofCron(call, ticks, tick);
    const spread = spreadOf(name, options, ticks);
    const outcome = await this.runner.resume(
      { name, options, tick, ticks, spread, trigger: 'catch-up' },
      firing,
      call,
    );
    // Another run may hold the lock, or the clock of a node may not have come to the end of the pause.
    this.clock.clearTimeout(this.undecided.get(name));
    this.undecided.delete(name);
    if (outcome === 'unknown') this.undecided.set(name, this.lookAgain(name, this.clock.now() + options.ttl));
    ticks.prepareSoon(this.clock);
  }

  /** Looks again at the time `at`: when a pause ends by itself, or a while after a claim that was not decided. */
  private lookAgain(name: string, at: number | undefined): Timer | undefined {
    if (at === undefined) return undefined;
    const delay = Math.min(at - this.clock.now() + 1, LONGEST_TIMER);
    return this.clock.setTimeout(() => this.lookFor(name), delay).unref();
  }

  /**
   * Whether a tick was due under the same schedule as the last one that ran, was not begun, and found no run in progress.
   */
  private isMissed(
    { name, options, schedule }: Candidate,
    { at }: Tick,
    { last, running, records }: MergedView,
  ): boolean {
    if (last === undefined || at <= last) return false;
    if (records.some(({ tick }) => tick?.getTime() === at)) return false;
    const newest = records.find(({ tick }) => tick?.getTime() === last);
    if (newest?.schedule !== schedule.ticks.fingerprint) return false;
    if (options.every !== undefined && at < newest.startedAt.getTime() + options.every) return false;
    if (running && running.startedAt <= at) return false;
    if (this.known.get(name)?.skipped.at(at)?.fate === 'unguarded') return false;
    return !records.some(
      ({ startedAt, duration }) => startedAt.getTime() <= at && at <= startedAt.getTime() + (duration ?? 0),
    );
  }
}
