import type { CronJob } from 'cron';
import { hasMethods } from '../has-methods.js';

/** Whether a cron job is started, and so fires at its times. `cron` 3 calls it `running`. */
export function isActive(job: CronJob): boolean {
  return job.isActive ?? Reflect.get(job, 'running') === true;
}

/**
 * Calls `listener` at once if the cron job is active, and later each time it starts (after `initialDelay` or a stop) or
 * its times are set by `setTime` while it is active.
 */
export function watchStarts(job: CronJob, listener: () => void): void {
  // Kept here, because `cron` clears `isActive` at each tick, and calls `start`.
  let isStarted = isActive(job);
  if (isStarted) listener();
  // A test may register an object that has only the methods that it needs.
  if (!hasMethods(job, 'start', 'stop')) return;
  const start = job.start.bind(job);
  job.start = () => {
    start();
    if (!isStarted) listener();
    isStarted = true;
  };
  const stop = job.stop.bind(job);
  job.stop = () => {
    isStarted = false;
    return stop();
  };
}
