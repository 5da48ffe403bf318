import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { shortestPeriod } from '../../src/schedule/shortest-period.js';
import { cronTime, firingsOf } from './firings.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The shortest time between two of the next ticks. */
function closest(expression: string, count: number): number {
  const firings = firingsOf(cronTime(expression, 'UTC'), Date.now(), count);
  return Math.min(...firings.slice(1).map((at, index) => at - (firings[index] ?? at)));
}

describe('the shortest period of a schedule', () => {
  it.each([
    ['* * * * * *', SECOND],
    ['*/10 * * * * *', 10 * SECOND],
    ['*/7 * * * * *', 4 * SECOND],
    ['58 * * * * *', MINUTE],
    ['5,50 * * * * *', 15 * SECOND],
    ['5,50 0 * * * *', 45 * SECOND],
    ['* * * * *', MINUTE],
    ['*/25 * * * *', 10 * MINUTE],
    ['0 30 * * * *', HOUR],
    ['0,59 */2 * * *', 59 * MINUTE],
    ['0 */5 * * *', 4 * HOUR],
    ['0 1,23 * * *', 2 * HOUR],
    ['0 9-17 * * 1-5', HOUR],
    ['30 59 23 * * *', DAY],
    ['0 0 * * 1', 7 * DAY],
    ['0 0 * * 1,6', 2 * DAY],
    ['0 0 * * 0,6', DAY],
    ['0 0,22 * * 3', 22 * HOUR],
    ['0 0 1,15 * *', 14 * DAY],
    ['0 0 1,28 * *', DAY],
    ['0 0 1 * *', 28 * DAY],
    ['0 0 13 * 5', DAY],
  ])('"%s" is that between its two closest ticks', (expression, period) => {
    expect(shortestPeriod(cronTime(expression, 'UTC'))).toBe(period);
  });

  it('is infinite for a date, which comes once', () => {
    expect(shortestPeriod(cronTime(new Date(), 'UTC'))).toBe(Number.POSITIVE_INFINITY);
  });

  it('is computed once for all jobs that share the schedule, without a question to cron', () => {
    const cron = cronTime('0 0 3 * * *', 'UTC');
    const fields = vi.spyOn(cron, 'toJSON');
    const ticks = new CronTicks(cron);
    expect([ticks.period, ticks.period]).toEqual([DAY, DAY]);
    expect(fields).toHaveBeenCalledTimes(1);
    expect(cron.questions).toBe(0);
  });
});

describe('the ticks that cron itself computes', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-30T21:00:00Z') }));
  afterEach(() => void vi.useRealTimers());

  // Each for longer than it takes until they repeat.
  it.each([
    ['*/7 * * * * *', 12],
    ['5,50 */20 * * * *', 8],
    ['0 */25 * * * *', 6],
    ['10,20 0,59 */5 * * *', 24],
    ['0 0 1,23 * * *', 5],
    ['0 0 6,18 * * 1,4', 7],
  ])('are as far apart as its fields say, for "%s"', (expression, count) => {
    expect(closest(expression, count)).toBe(shortestPeriod(cronTime(expression, 'UTC')));
  });

  it.each(['0 0 0 29 2 *', '0 0 0 1,31 * *', '0 0 0 13 * 5'])('are no closer, for "%s"', (expression) => {
    expect(closest(expression, 12)).toBeGreaterThanOrEqual(shortestPeriod(cronTime(expression, 'UTC')));
  });
});
