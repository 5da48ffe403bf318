import { SchedulerRegistry } from '@nestjs/schedule';
import type { CronJob } from 'cron';

/** Knows all scheduled jobs of an application, and lets none of them fire by itself. */
export class StoppedScheduler extends SchedulerRegistry {
  override addCronJob(name: string, job: CronJob): void {
    void job.stop();
    // Those who register a job themselves start it after this, as does an `initialDelay`.
    job.start = () => {};
    super.addCronJob(name, job);
  }

  override addInterval(name: string, id: unknown): void {
    clearInterval(id as NodeJS.Timeout);
    super.addInterval(name, id);
  }

  override addTimeout(name: string, id: unknown): void {
    clearTimeout(id as NodeJS.Timeout);
    super.addTimeout(name, id);
  }
}
