import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { inBackground } from '../in-background.js';
import { CLOCK } from '../redlock.module-definition.js';
import { type CronJobKey, keyOf } from '../schedule/schedule-of.js';
import { CatchUp } from './catch-up.service.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { JobCatalog } from './job-catalog.service.js';
import { Recovery } from './recovery.service.js';

/**
 * When a cron job starts later than the application, does for its jobs what was done for the others when the
 * application had started.
 */
@Injectable()
export class LateStarts {
  /** The keys of the cron jobs that have started, and whose jobs are still to be looked for. */
  private readonly waiting = new Set<CronJobKey>();
  private isLooking = false;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: ExclusiveJobs,
    private readonly catalog: JobCatalog,
    private readonly recovery: Recovery,
    private readonly catchUp: CatchUp,
  ) {}

  /** A cron job with these keys has started. Many may start together, and most of them may call no decorated method. */
  add(keys: readonly CronJobKey[]): void {
    for (const key of keys) this.waiting.add(key);
    if (!this.isLooking) void inBackground('Looking for the jobs of started cron jobs', () => this.look());
  }

  private async look(): Promise<void> {
    this.isLooking = true;
    try {
      while (this.waiting.size > 0) {
        await this.clock.turn();
        for (const job of this.started()) {
          await this.clock.turn();
          if (this.jobs.isOpen) this.lookAt(job);
        }
      }
    } finally {
      this.isLooking = false;
    }
  }

  /**
   * The declared jobs that the cron jobs with the waiting keys call. One key stands for several jobs if several objects
   * have the method.
   */
  private started(): DeclaredJob[] {
    const keys = new Set(this.waiting);
    this.waiting.clear();
    return [...this.jobs.declared()].filter(({ schedule }) => {
      const key = keyOf(schedule);
      return key !== undefined && keys.has(key);
    });
  }

  private lookAt(job: DeclaredJob): void {
    if (job.schedule.kind !== 'cron' || !this.catalog.note(job)) return;
    this.recovery.lookFor(job);
    this.catchUp.started(job);
  }
}
