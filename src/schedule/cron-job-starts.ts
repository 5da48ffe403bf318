import type { CronJob, CronTime } from 'cron';

/** How a cron job has come to fire at its times: it was started, or `setTime` has given it new times. */
export type CronJobStart = 'started' | 'rescheduled';

/** When the times of a cron job changed last, in milliseconds since the epoch. */
const changes = new WeakMap<CronJob, number>();

/** Whether a cron job is started, and so fires at its times. `cron` 3 calls it `running`. */
export function isActive(job: CronJob): boolean {
  return job.isActive ?? Reflect.get(job, 'running') === true;
}

/** Since when the cron job has its present times, in milliseconds since the epoch; `-Infinity` if they never changed. */
export function changedAt(job: CronJob): number {
  return changes.get(job) ?? Number.NEGATIVE_INFINITY;
}

/**
 * Calls `listener` if the cron job is active, whenever it starts later, as with `initialDelay` or after a stop, and
 * whenever `setTime` is called while it is active.
 */
export function watchStarts(job: CronJob, now: () => number, listener: (how: CronJobStart) => void): void {
  // `isActive` does not tell: at each tick, `cron` clears it, and calls `start`.
  let isStarted = isActive(job);
  let isInSetTime = false;
  let { cronTime } = job;
  if (isStarted) listener('started');
  const start = job.start.bind(job);
  job.start = () => {
    start();
    if (!isSame(cronTime, job.cronTime)) changes.set(job, now());
    cronTime = job.cronTime;
    if (!isStarted) listener(isInSetTime ? 'rescheduled' : 'started');
    isStarted = true;
  };
  const stop = job.stop.bind(job);
  job.stop = () => {
    isStarted = false;
    return stop();
  };
  const setTime = job.setTime.bind(job);
  job.setTime = (time) => {
    // It calls `stop` and `start`.
    isInSetTime = true;
    try {
      setTime(time);
    } finally {
      isInSetTime = false;
    }
  };
}

function isSame(one: CronTime, other: CronTime): boolean {
  return one === other || timesOf(one) === timesOf(other);
}

function timesOf({ source, timeZone, utcOffset }: CronTime): string {
  return JSON.stringify([source, timeZone, utcOffset]);
}
