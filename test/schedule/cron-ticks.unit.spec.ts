import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { cronTime, LATENESS, prepareAll } from './firings.js';
import { countRounds } from './rounds.js';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const START = Date.parse('2026-11-22T12:34:56.789Z');

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: START }));
afterEach(() => void vi.useRealTimers());

describe('prepared ticks', () => {
  it('cost two questions to cron at start, one at a time, and none when the first of them comes due', () => {
    const cron = cronTime('0 0 3 1 * *', 'UTC');
    const ticks = new CronTicks(cron);
    const asked: number[] = [];
    while (ticks.prepare(START)) asked.push(cron.questions);
    expect(asked).toEqual([1, 2]);
    const first = Date.parse('2026-12-01T03:00:00Z');
    for (const late of [-1, LATENESS, 5 * HOUR]) expect(ticks.latest(first + late)?.at).toBe(first);
    expect(cron.questions).toBe(2);
  });

  it('cost one question a tick from then on', () => {
    const cron = cronTime('* * * * * *', 'UTC');
    const ticks = new CronTicks(cron);
    prepareAll(ticks, START);
    const before = cron.questions;
    for (let count = 1; count <= 10; count++) {
      const now = START + count * SECOND;
      vi.setSystemTime(now);
      expect(ticks.latest(now)?.at).toBe(Math.trunc(now / SECOND) * SECOND);
      prepareAll(ticks, now);
      expect(cron.questions - before).toBe(count);
    }
  });

  it('are kept when a call comes before the first of them, which is computed once', () => {
    const cron = cronTime('0 0 3 1 * *', 'UTC');
    const ticks = new CronTicks(cron);
    prepareAll(ticks, START);
    expect(ticks.latest(START)?.at).toBe(Date.parse('2026-11-01T03:00:00Z'));
    const { questions } = cron;
    expect(ticks.latest(START + HOUR)?.at).toBe(Date.parse('2026-11-01T03:00:00Z'));
    expect(ticks.latest(Date.parse('2026-12-01T03:00:00Z'))?.at).toBe(Date.parse('2026-12-01T03:00:00Z'));
    expect(cron.questions).toBe(questions);
  });

  it('are computed by a call that comes before the preparation, with two questions', () => {
    const cron = cronTime('0 0 3 1 * *', 'UTC');
    const at = Date.parse('2026-12-01T03:00:00Z');
    expect(new CronTicks(cron).latest(at + LATENESS)?.at).toBe(at);
    expect(cron.questions).toBe(2);
  });

  it('cost a few questions after any number of ticks that nobody asked for', () => {
    const cron = cronTime('* * * * * *', 'UTC');
    const ticks = new CronTicks(cron);
    prepareAll(ticks, START);
    const before = cron.questions;
    prepareAll(ticks, START + 100 * HOUR);
    expect(cron.questions - before).toBeLessThanOrEqual(4);
  });

  it('are asked for once, however often an overdue job asks what came next', () => {
    const cron = cronTime('0 0 3 1 * *', 'UTC');
    const ticks = new CronTicks(cron);
    prepareAll(ticks, START);
    const longAgo = Date.parse('2025-01-15T00:00:00Z');
    const next = Date.parse('2025-02-01T03:00:00Z');
    expect(ticks.next(longAgo)).toBe(next);
    const { questions } = cron;
    expect([longAgo, longAgo + HOUR, next - 1].map((time) => ticks.next(time))).toEqual([next, next, next]);
    expect(cron.questions).toBe(questions);
    expect(ticks.next(next)).toBe(Date.parse('2025-03-01T03:00:00Z'));
    expect(ticks.next(longAgo - 30 * 24 * HOUR)).toBe(Date.parse('2025-01-01T03:00:00Z'));
  });

  it('are what comes next, without a question', () => {
    const cron = cronTime('0 0 3 1 * *', 'UTC');
    const ticks = new CronTicks(cron);
    prepareAll(ticks, START);
    const [first, second] = ['2026-12-01T03:00:00Z', '2027-01-01T03:00:00Z'].map(Date.parse);
    expect(ticks.next(first! - 1)).toBe(first);
    const { questions } = cron;
    expect(ticks.next(first!)).toBe(second);
    expect(ticks.next(first! + HOUR)).toBe(second);
    expect(cron.questions).toBe(questions);
    expect(ticks.next(second!)).toBe(Date.parse('2027-02-01T03:00:00Z'));
  });

  it('are found by a clock that was wrong by years, once it is right', () => {
    const ticks = new CronTicks(cronTime('0 0 3 1 1 *', 'UTC'));
    // From then, cron looks until the eighth of these ticks, and no further.
    vi.setSystemTime('2018-06-01T00:00:00Z');
    prepareAll(ticks, START);
    expect(ticks.latest(START)).toMatchObject({
      at: Date.parse('2026-01-01T03:00:00Z'),
      next: Number.POSITIVE_INFINITY,
    });
    expect(ticks.next(START)).toBe(Number.POSITIVE_INFINITY);
    vi.setSystemTime(START);
    const next = Date.parse('2027-01-01T03:00:00Z');
    expect(ticks.next(START)).toBe(next);
    expect(ticks.latest(START)?.next).toBe(next);
    prepareAll(ticks, next);
    expect(ticks.latest(next)?.at).toBe(next);
  });

  it('are few, however far calls go back', () => {
    const ticks = new CronTicks(cronTime('* * * * * *', 'UTC'));
    prepareAll(ticks, START);
    for (let back = 0; back < 100; back++) ticks.latest(START - back * SECOND);
    expect(Reflect.get(ticks, 'known')).toHaveLength(16);
    prepareAll(ticks, START);
    expect(Reflect.get(ticks, 'known')).toHaveLength(2);
  });
});

it('a schedule is prepared once for all requests in the meantime', async () => {
  const clock = new ManualClock(START);
  const ticks = new CronTicks(cronTime('0 0 3 1 * *', 'UTC'));
  const prepare = vi.spyOn(ticks, 'prepare');
  for (let times = 0; times < 5; times++) ticks.prepareSoon(clock);
  await clock.advance(1000);
  expect(prepare.mock.results.map(({ value }) => value as unknown)).toEqual([true, true, false]);
  ticks.prepareSoon(clock);
  await clock.advance(1000);
  expect(prepare).toHaveBeenCalledTimes(4);
});

it('many schedules that are to be prepared ask cron one at a time, with the event loop free in between', async () => {
  const rounds = countRounds();
  const asked: number[] = [];
  const crons = Array.from({ length: 20 }, (_, second) => cronTime(`${second} 0 3 1 * *`, 'UTC'));
  for (const cron of crons) {
    const ask = cron.getNextDateFrom.bind(cron);
    cron.getNextDateFrom = (...question) => {
      asked.push(rounds.count);
      return ask(...question);
    };
    const ticks = new CronTicks(cron);
    for (let times = 0; times < 3; times++) ticks.prepareSoon({ ...systemClock, now: () => START });
  }
  expect(asked).toEqual([]);
  for (let waits = 0; asked.length < 40 && waits < 500; waits++) await pause(10);
  await pause(10);
  rounds.stop();
  expect(asked).toHaveLength(40);
  expect(new Set(asked).size).toBe(40);
});
