import { SchedulerRegistry } from '@nestjs/schedule';
import type { CronJob } from 'cron';

/** Registers all scheduled jobs of an application, but lets none of them fire by itself. */
export class StoppedScheduler extends SchedulerRegistry {
  override addCronJob(name: string, job: CronJob): void {
    const wasActive = job.isActive;
    void job.stop();
    const setActive = (isActive: boolean): void =>
      void Reflect.defineProperty(job, 'isActive', { value: isActive, configurable: true });
    setActive(wasActive);
    // Code that registers a job may start or stop it afterwards; `initialDelay` starts it, too.
    job.start = () => setActive(true);
    job.stop = async () => setActive(false);
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
