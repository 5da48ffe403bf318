import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { ResolvedJobOptions } from '../../src/options/options.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { KnownJobs, upcoming } from '../../src/services/known-jobs.service.js';
import { cronTime, firingsOf, prepareAll } from '../schedule/firings.js';

const named = (name: string) => ({ name, options: {} as ResolvedJobOptions });

it('a declared job is remembered, however many names that depend on arguments come and go', () => {
  const jobs = new KnownJobs(systemClock);
  const called = jobs.add(named('called, then declared'), 1000);
  jobs.add(named('first'), 1000);
  const declared = jobs.declare(named('declared'), 1000);
  expect(jobs.declare(named('called, then declared'), 1000)).toBe(called);
  for (let tenant = 0; tenant < 10_000; tenant++) jobs.add(named(`tenant ${tenant}`), 1000);
  expect(jobs.get('first')).toBeUndefined();
  expect(jobs.get('tenant 0')).toBeDefined();
  expect(jobs.add(named('declared'), 1000)).toBe(declared);
  expect(jobs.get('called, then declared')).toBe(called);
  expect(jobs.all()).toHaveLength(10_002);
});

it('a job that is called again and again is remembered, however many names come and go', () => {
  const jobs = new KnownJobs(systemClock);
  const busy = jobs.add(named('busy'), 1000);
  for (let tenant = 0; tenant < 10_000; tenant++) {
    jobs.add(named(`tenant ${tenant}`), 1000);
    jobs.add(named('busy'), 1000);
  }
  expect(jobs.get('busy')).toBe(busy);
  expect(jobs.get('tenant 0')).toBeUndefined();
});

it('each job is gone through once, though it is called meanwhile', () => {
  const jobs = new KnownJobs(systemClock);
  for (const name of ['a', 'b']) jobs.add(named(name), 1000);
  const names: string[] = [];
  for (const { name } of jobs.all()) {
    if (names.push(name) < 10) jobs.add(named(name), 1000);
  }
  expect(names).toEqual(['a', 'b']);
});

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
    const fired = firingsOf(cronTime(expression, zone), start, 12).map((at) => new Date(at));
    vi.setSystemTime(start);
    const ticks = new CronTicks(cronTime(expression, zone));
    expect(upcoming(ticks, start, 12)).toEqual(fired);
    prepareAll(ticks, start);
    expect(upcoming(ticks, start, 12)).toEqual(fired);
  });
});
