import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { inBackground } from '../in-background.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { CronJobStart } from '../schedule/cron-job-starts.js';
import { type CronJobKey, keyOf } from '../schedule/schedule-of.js';
import { CatchUp } from './catch-up.service.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { JobCatalog } from './job-catalog.service.js';
import { Recovery } from './recovery.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/**
 * When a cron job starts later than the application, does for its jobs what was done for the others when the
 * application had started. Many cron jobs may start together, and most may belong to no decorated method.
 */
@Injectable()
export class LateStarts {
  /** What has started, and is still to be looked at. */
  private readonly waiting = new Map<CronJobKey, CronJobStart>();
  private isLooking = false;
  private readonly declared = new Map<CronJobKey, DeclaredJob[]>();
  /** The number of modules of the application when its jobs were listed: more may be loaded later. */
  private listedModules = 0;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: ExclusiveJobs,
    private readonly firings: SchedulerFirings,
    private readonly catalog: JobCatalog,
    private readonly recovery: Recovery,
    private readonly catchUp: CatchUp,
  ) {}

  /** A cron job has started, which has these keys. */
  add(keys: readonly CronJobKey[], how: CronJobStart): void {
    for (const key of keys) if (this.waiting.get(key) !== 'started') this.waiting.set(key, how);
    if (!this.isLooking) void inBackground('Looking for the jobs of started cron jobs', () => this.look());
  }

  private async look(): Promise<void> {
    this.isLooking = true;
    try {
      await this.clock.turn();
      // This also comes to what is added meanwhile.
      for (const [key, how] of this.waiting) {
        this.waiting.delete(key);
        for (const job of this.jobsOf(key)) {
          await this.clock.turn();
          if (this.jobs.isOpen) this.lookAt(job, how);
        }
      }
    } finally {
      this.isLooking = false;
    }
  }

  private lookAt(job: DeclaredJob, how: CronJobStart): void {
    const { schedule } = job;
    if (schedule.kind !== 'cron' || !this.firings.isMounted(schedule)) return;
    this.catalog.note(job);
    schedule.ticks.prepareSoon(this.clock);
    if (how === 'rescheduled') return;
    this.recovery.lookFor(job);
    this.catchUp.started(job);
  }

  /** The declared jobs that a cron job with this key calls: several if several objects have the method. */
  private jobsOf(key: CronJobKey): readonly DeclaredJob[] {
    const { size } = this.firings.application;
    if (this.listedModules !== size) this.list();
    this.listedModules = size;
    return this.declared.get(key) ?? [];
  }

  private list(): void {
    this.declared.clear();
    for (const job of this.jobs.declared()) {
      const key = keyOf(job.schedule);
      if (key !== undefined) this.declared.set(key, [...(this.declared.get(key) ?? []), job]);
    }
  }
}
