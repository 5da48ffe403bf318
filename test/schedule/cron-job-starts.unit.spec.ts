import { CronJob, CronTime } from 'cron';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchStarts } from '../../src/schedule/cron-job-starts.js';

const SECOND = 1000;
const eachSecond = (): CronTime => new CronTime('* * * * * *');

let ticks: number;
let starts: number;
beforeEach(() => {
  vi.useFakeTimers();
  ticks = 0;
  starts = 0;
});
afterEach(() => vi.useRealTimers());

function watched(start: boolean): CronJob {
  const job = CronJob.from({ cronTime: '* * * * * *', onTick: () => void ticks++, start });
  watchStarts(job, () => starts++);
  return job;
}

it('a cron job starts once, however often it fires, and again after it was stopped', async () => {
  const job = watched(true);
  await vi.advanceTimersByTimeAsync(3 * SECOND);
  expect(ticks).toBe(3);
  expect(starts).toBe(1);
  void job.stop();
  job.start();
  job.start();
  expect(starts).toBe(2);
  void job.stop();
});

it('setTime starts a cron job again that is started, and no other', () => {
  const job = watched(false);
  job.setTime(eachSecond());
  expect(starts).toBe(0);
  job.start();
  job.setTime(eachSecond());
  expect(starts).toBe(2);
  void job.stop();
});
