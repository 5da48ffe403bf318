import { Inject, Injectable } from '@nestjs/common';
import { LAST_TICK_RETENTION } from '../nodes/lock-node.js';
import { CLOCK } from '../redlock.module-definition.js';
import { CronFiring } from '../schedule/firing.js';
import { type CronTicks, TIMER_SLACK } from '../schedule/cron-ticks.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { JobRunner } from './job-runner.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** How many ticks of a job to look at, from the latest one back: that one, and others of which a node can still know. */
const LOOK_BACK = 10;

/**
 * Looks, when an instance has started, for ticks of `recover` jobs that were begun and not ended, and runs them again. The
 * instances that lost such a tick wait for it by themselves; this is for those that were not there.
 */
@Injectable()
export class Recovery {
  constructor(
    @Inject(CLOCK) private readonly clock: () => number,
    private readonly jobs: ExclusiveJobs,
    private readonly firings: SchedulerFirings,
    private readonly runner: JobRunner,
  ) {}

  /** Resolves when all have been looked at; what is found runs on by itself. */
  start(): void {
    for (const job of this.jobs.declared()) {
      const { schedule, options } = job;
      if (schedule.kind !== 'cron' || !options.recover) continue;
      // An instance on which the scheduler is off, or this job is stopped, is not meant to run it.
      if (this.firings.isMounted(schedule.ticks, schedule.name)) void this.look(job, schedule.ticks);
    }
  }

  private async look(job: DeclaredJob, ticks: CronTicks): Promise<void> {
    const { name, options, call } = job;
    const now = this.clock();
    let tick = ticks.latest(now);
    for (let looks = 0; tick && looks < LOOK_BACK; looks++) {
      const found = tick;
      const firing = (): CronFiring => new CronFiring(call, ticks, this.clock(), this.clock, found);
      const outcome = await this.runner.resume({ name, options, tick }, firing, call);
      // The nodes may answer later, and a run that is in the way may end.
      if (outcome === 'unknown') setTimeout(() => void this.look(job, ticks), options.ttl).unref();
      if (outcome !== 'unbegun' || tick.at < now - LAST_TICK_RETENTION) break;
      tick = ticks.latest(tick.at - TIMER_SLACK - 1);
    }
    ticks.prepareSoon(this.clock);
  }
}
