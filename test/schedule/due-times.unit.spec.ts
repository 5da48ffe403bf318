import { afterEach, describe, expect, it, vi } from 'vitest';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { upcoming } from '../../src/schedule/due-times.js';
import { cronTime, firingsOf, prepareAll } from './firings.js';

describe('the upcoming ticks are those that will be fired', () => {
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['0 */30 * * * *', 'Europe/Berlin', '2026-10-24T22:10:00Z'],
    ['0 */30 * * * *', 'Europe/Berlin', '2026-10-24T23:10:00Z'],
    ['0 */30 * * * *', 'Europe/Berlin', '2026-10-25T00:10:00Z'],
    ['0 */30 * * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z'],
    ['0 */7 1-3 * * *', 'Europe/Berlin', '2026-10-25T00:10:00Z'],
    ['0 30 2 * * *', 'Europe/Berlin', '2026-10-23T12:00:00Z'],
    ['0 30 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z'],
    ['0 */20 * * * *', 'Australia/Lord_Howe', '2026-04-04T14:10:00Z'],
    ['0 */30 * * * *', 'Europe/Berlin', '2027-03-28T00:10:00Z'],
    ['0 30 2 * * *', 'Europe/Berlin', '2027-03-27T12:00:00Z'],
  ])('also when the clocks change: %s in %s from %s', (expression, zone, from) => {
    const start = Date.parse(from);
    vi.useFakeTimers({ toFake: ['Date'], now: start });
    const fired = firingsOf(cronTime(expression, zone), start, 9).map((at) => new Date(at));
    vi.setSystemTime(start);
    const ticks = new CronTicks(cronTime(expression, zone));
    expect(upcoming(ticks, start, 9)).toEqual(fired);
    prepareAll(ticks, start);
    expect(upcoming(ticks, start, 9)).toEqual(fired);
  });
});
