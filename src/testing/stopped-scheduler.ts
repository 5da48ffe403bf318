import { SchedulerRegistry } from '@nestjs/schedule';
import type { CronJob } from 'cron';

/** Registers all scheduled jobs of an application, but lets none of them fire by itself. */
export class StoppedScheduler extends SchedulerRegistry {
  override addCronJob(name: string, job: CronJob): void {
    // `stop` would call `onComplete`, and the job would no longer count as active.
    clearTimeout(Reflect.get(job, '_timeout') as NodeJS.Timeout | undefined);
    // Code that registers a job may start it afterwards, as `initialDelay` and `setTime` do.
    job.start = () => void Reflect.set(job, '_isActive', true);
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
