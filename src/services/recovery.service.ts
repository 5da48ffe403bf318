import { Inject, Injectable } from '@nestjs/common';
import { LAST_TICK_RETENTION } from '../nodes/lock-node.js';
import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { inBackground } from '../in-background.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { CronFiring } from '../schedule/firing.js';
import type { CronSchedule } from '../schedule/schedule-of.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { JobRunner } from './job-runner.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** How many ticks of a job to check, from the latest one back. */
const LOOK_BACK = 10;

/**
 * Looks for ticks with `recover` that were begun and not settled, and runs them again: at startup, when the cron job of
 * a job starts later, and before a later tick is made up for. Instances that lost such a tick wait for it themselves;
 * this class is for instances that started later.
 */
@Injectable()
export class Recovery {
  /** The searches in progress, by the name of the job. */
  private readonly searches = new Map<string, Promise<void>>();
  /** The jobs whose search is repeated later. */
  private readonly repeated = new Set<string>();

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: ExclusiveJobs,
    private readonly firings: SchedulerFirings,
    private readonly runner: JobRunner,
  ) {}

  /** Starts a search for each job, and returns at once. */
  start(): void {
    for (const job of this.jobs.declared()) this.lookFor(job);
  }

  /** Starts a search for this job, if it has `recover`. */
  lookFor(job: DeclaredJob): void {
    const { schedule, options, isOwn } = job;
    if (isOwn && schedule.kind === 'cron' && options.recover) this.searchInBackground(job, schedule);
  }

  /** Resolves when no tick of the job can be taken over now, and the ticks that this instance took over have run. */
  async search(job: DeclaredJob, schedule: CronSchedule): Promise<void> {
    const search = this.searches.get(job.name) ?? this.look(job, schedule);
    this.searches.set(job.name, search);
    await search.finally(() => this.searches.delete(job.name));
  }

  private searchInBackground(job: DeclaredJob, schedule: CronSchedule): void {
    void inBackground(`Looking for ticks of ${quoted(job.name)} to take over`, () =>
      this.search(job, schedule),
    );
  }

  private async look(job: DeclaredJob, schedule: CronSchedule): Promise<void> {
    // Many jobs are looked at together, and each search for a tick takes some milliseconds.
    await this.clock.turn();
    // If the scheduler is off, or the job may be stopped, this instance is not meant to run it.
    if (!this.firings.callsAll(schedule)) return;
    const { name, options, call } = job;
    const { ticks } = schedule;
    const now = this.clock.now();
    let tick = ticks.latest(now);
    for (let looks = 0; tick && looks < LOOK_BACK; looks++) {
      const found = tick;
      const firing = (): CronFiring => this.firings.ofCron(call, ticks, found);
      const outcome = await this.runner.runUncalled(
        { name, options, tick, ticks, past: 'perhaps begun' },
        firing,
        call,
      );
      if (outcome === 'unknown') this.searchLater(job, schedule);
      if (outcome !== 'unbegun' || tick.at < now - LAST_TICK_RETENTION) break;
      await this.clock.turn();
      tick = ticks.tickBefore(tick);
    }
    ticks.prepareSoon(this.clock);
  }

  /** The nodes may answer later, and a run that holds the lock may end. */
  private searchLater(job: DeclaredJob, schedule: CronSchedule): void {
    const { name, options } = job;
    if (this.repeated.has(name)) return;
    this.repeated.add(name);
    const again = (): void => {
      this.repeated.delete(name);
      this.searchInBackground(job, schedule);
    };
    this.clock.setTimeout(again, options.ttl).unref();
  }
}
