import { CronJob, CronTime } from 'cron';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { changedAt, watchStarts } from '../../src/schedule/cron-job-starts.js';

const SECOND = 1000;
const eachSecond = (): CronTime => new CronTime('* * * * * *');

let ticks: number;
let starts: string[];
beforeEach(() => {
  vi.useFakeTimers();
  ticks = 0;
  starts = [];
});
afterEach(() => vi.useRealTimers());

function watched(start: boolean): CronJob {
  const job = CronJob.from({ cronTime: '* * * * * *', onTick: () => void ticks++, start });
  watchStarts(job, Date.now, (how) => starts.push(how));
  return job;
}

it('a cron job starts once, however often it fires, and again after it was stopped', async () => {
  const job = watched(true);
  await vi.advanceTimersByTimeAsync(3 * SECOND);
  expect(ticks).toBe(3);
  expect(starts).toEqual(['started']);
  void job.stop();
  job.start();
  job.start();
  expect(starts).toEqual(['started', 'started']);
  void job.stop();
});

it('setTime reschedules a cron job that is started, and starts none that is not', () => {
  const job = watched(false);
  job.setTime(eachSecond());
  expect(starts).toEqual([]);
  job.start();
  job.setTime(eachSecond());
  expect(starts).toEqual(['started', 'rescheduled']);
  void job.stop();
  job.start();
  expect(starts.slice(2)).toEqual(['started']);
  void job.stop();
});

it('a cron job has its times from the start with other ones on', async () => {
  const job = watched(true);
  expect(changedAt(job)).toBe(Number.NEGATIVE_INFINITY);
  await vi.advanceTimersByTimeAsync(3 * SECOND);
  job.setTime(eachSecond());
  expect(changedAt(job)).toBe(Number.NEGATIVE_INFINITY);
  job.setTime(new CronTime('* * * * *'));
  const first = Date.now();
  await vi.advanceTimersByTimeAsync(90 * SECOND);
  expect(changedAt(job)).toBe(first);
  void job.stop();
  job.setTime(eachSecond());
  expect(changedAt(job)).toBe(first);
  job.start();
  expect(changedAt(job)).toBe(Date.now());
  void job.stop();
});
