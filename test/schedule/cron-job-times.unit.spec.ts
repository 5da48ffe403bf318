import { CronTime } from 'cron';
import { expect, it } from 'vitest';
import { CronJobTimes } from '../../src/schedule/cron-job-times.js';
import { SharedTicks } from '../../src/schedule/shared-ticks.js';

const hourly = (timeZone: string) => ({ cronTime: new CronTime('0 * * * *', timeZone) });

it('a cron job of a decorated method has its times from when they changed last', () => {
  const times = new CronJobTimes(new SharedTicks());
  times.note('report', hourly('UTC'), 1, true);
  times.note('report', hourly('UTC'), 2);
  expect(times.since('report')).toBe(Number.NEGATIVE_INFINITY);
  times.note('report', hourly('Europe/Berlin'), 3);
  times.note('report', hourly('Europe/Berlin'), 4);
  expect(times.since('report')).toBe(3);
  times.note('report', hourly('UTC'), 5);
  expect(times.since('report')).toBe(5);
});

it('the times of other cron jobs are not kept', () => {
  const times = new CronJobTimes(new SharedTicks());
  times.note('own', hourly('UTC'), 1);
  times.note('own', hourly('Europe/Berlin'), 2);
  expect(times.since('own')).toBe(Number.NEGATIVE_INFINITY);
});
