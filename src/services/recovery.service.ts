import { Inject, Injectable } from '@nestjs/common';
import { LAST_TICK_RETENTION } from '../nodes/lock-node.js';
import type { Clock } from '../clock.js';
import { CLOCK } from '../redlock.module-definition.js';
import { CronFiring } from '../schedule/firing.js';
import { TIMER_SLACK } from '../schedule/cron-ticks.js';
import type { CronSchedule } from '../schedule/schedule-of.js';
import { turn } from '../schedule/turns.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { JobRunner } from './job-runner.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** How many ticks of a job to check, from the latest one back. */
const LOOK_BACK = 10;

/**
 * At startup, looks for ticks of `recover` jobs that were begun and not settled, and runs them again. Instances that
 * lost such a tick wait for it themselves; this is for instances that started later.
 */
@Injectable()
export class Recovery {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: ExclusiveJobs,
    private readonly firings: SchedulerFirings,
    private readonly runner: JobRunner,
  ) {}

  /** Starts a search for each job, and returns at once. */
  start(): void {
    for (const job of this.jobs.declared()) {
      const { schedule, options } = job;
      if (schedule.kind === 'cron' && options.recover) void this.look(job, schedule);
    }
  }

  private async look(job: DeclaredJob, schedule: CronSchedule): Promise<void> {
    // Many jobs are looked at together, and each search for a tick takes some milliseconds.
    await turn();
    // If the scheduler is off, or the job is stopped, this instance is not meant to run it.
    if (!this.firings.isMounted(schedule)) return;
    const { name, options, call } = job;
    const { ticks } = schedule;
    const now = this.clock.now();
    let tick = ticks.latest(now);
    for (let looks = 0; tick && looks < LOOK_BACK; looks++) {
      const found = tick;
      const firing = (): CronFiring => new CronFiring(call, ticks, this.clock.now(), this.clock, found);
      const outcome = await this.runner.resume(
        { name, options, tick, ticks, past: 'perhaps begun' },
        firing,
        call,
      );
      // The nodes may answer later, and a run that holds the lock may end.
      if (outcome === 'unknown')
        this.clock.setTimeout(() => void this.look(job, schedule), options.ttl).unref();
      if (outcome !== 'unbegun' || tick.at < now - LAST_TICK_RETENTION) break;
      await turn();
      tick = ticks.latest(tick.at - TIMER_SLACK - 1);
    }
    ticks.prepareSoon(this.clock);
  }
}
