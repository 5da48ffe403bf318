import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { TickSearch } from '../../src/schedule/tick-search.js';
import { cronTime, firingsOf, prepareAll, type Zone } from './firings.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-22T12:34:56.789Z');

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

/** The number of questions to `cron` in one search, which is checked against what `cron` says about its answer. */
function questionsFor(expression: string, zone: Zone, limit: number): number {
  vi.setSystemTime(limit);
  const cron = cronTime(expression, zone);
  const search = new TickSearch(cron);
  const [tick = Number.NaN, next = Number.NaN] = search.around(limit);
  const { questions } = cron;
  const found = { isDue: tick <= limit, isLatest: search.after(tick) > limit, next: search.after(tick) };
  expect(found).toEqual({ isDue: true, isLatest: true, next });
  expect(search.after(tick - SECOND)).toBe(tick);
  return questions;
}

/** The most questions of searches at moments over two years, of which none has a simple relation to a calendar. */
function mostQuestions(expression: string, zone: Zone): number {
  const moments = Array.from({ length: 9 }, (_, index) => NOW + index * 1987.1357 * HOUR);
  return Math.max(...moments.map((moment) => questionsFor(expression, zone, Math.trunc(moment))));
}

describe('a search on time', () => {
  it.each([
    ['* * * * * *', 'UTC', '2026-11-22T12:34:56Z'],
    ['5 7 3 4 * *', 'Europe/Paris', '2026-11-04T02:07:05Z'],
    ['0 0 31 12 *', 'Asia/Kolkata', '2026-12-30T18:30:00Z'],
    ['* * * 29 2 *', 'UTC', '2024-02-29T10:11:12Z'],
    ['30 1 * * *', 'America/New_York', '2026-11-02T06:30:00Z'],
  ])('asks cron twice for "%s" in %s', (expression, zone, tick) => {
    for (const late of [0, 3, 500]) expect(questionsFor(expression, zone, Date.parse(tick) + late)).toBe(2);
  });
});

describe('a search at any time', () => {
  it.each<[expression: string, zone: Zone]>([
    ['0 * * * * *', 'UTC'],
    ['0 */10 * * * *', 330],
    ['0 0 * * *', 'Europe/Paris'],
    ['5 7 3 4 * *', 'America/New_York'],
    ['0 0 0 31 * *', 'UTC'],
    ['0 0 31 12 *', 'Asia/Kolkata'],
    ['0 0 29 2 *', 'UTC'],
    // The last Friday of a month, or any of its last days.
    ['0 0 25-31 * 5', 'UTC'],
    ['0 9 * * 1-5', 'Australia/Lord_Howe'],
  ])('asks cron ten times at most for "%s" in %s', (expression, zone) => {
    expect(mostQuestions(expression, zone)).toBeLessThanOrEqual(10);
  });

  it.each<[expression: string, zone: Zone]>([
    ['* * * 29 2 *', 'UTC'],
    ['0,1 0 0 1 1 *', 'UTC'],
    ['* 0-30 3 1 1 *', 'America/New_York'],
    ['0-1 0,30 0,12 1,2 1,7 *', 'UTC'],
    ['* * 9 * * *', 'Europe/Paris'],
    ['*/15 1-3 * * *', 'Australia/Lord_Howe'],
    ['* * * * 1 1', -210],
  ])('asks cron 48 times at most for "%s" in %s, whose ticks come in bursts', (expression, zone) => {
    expect(mostQuestions(expression, zone)).toBeLessThanOrEqual(48);
  });

  it('asks cron three times at most if there is no tick', () => {
    const cron = cronTime('0 0 30 2 *', 'UTC');
    expect(new TickSearch(cron).around(NOW)).toEqual([]);
    expect(cron.questions).toBeLessThanOrEqual(3);
  });

  it.each([
    ['Europe/Paris', '2026-10-25T01:00:00Z'],
    ['Europe/Paris', '2026-03-29T01:00:00Z'],
    ['America/New_York', '2026-11-01T06:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
    ['America/Sao_Paulo', '2018-11-04T03:00:00Z'],
  ])('asks cron 48 times at most on a night on which the clocks of %s change (%s)', (zone, night) => {
    let most = 0;
    for (const expression of ['* * * * * *', '*/15 1-3 * * *', '30 1 * * *', '30 2 * * 0', '0 0 1 * *']) {
      const cron = cronTime(expression, zone);
      for (let offset = -3 * HOUR; offset <= 3 * HOUR; offset += 37 * MINUTE) {
        const limit = Date.parse(night) + offset;
        vi.setSystemTime(limit);
        cron.questions = 0;
        expect(new TickSearch(cron).around(limit)[0]).toBeLessThanOrEqual(limit);
        most = Math.max(most, cron.questions);
      }
    }
    expect(most).toBeLessThanOrEqual(48);
  });
});

it('a tick just before a repeated hour is found a day later', () => {
  const limit = Date.parse('2026-11-02T06:29:59.999Z');
  vi.setSystemTime(limit);
  const [tick] = new TickSearch(cronTime('30 1 * * *', 'America/New_York')).around(limit);
  expect(tick).toBe(Date.parse('2026-11-01T05:30:00Z'));
  expect(limit - tick!).toBeGreaterThan(DAY);
});

describe('an instance that starts in or after a repeated hour finds the ticks of those that were up before', () => {
  it.each<[expression: string, zone: Zone, night: string]>([
    ['30 2 * * *', 'Europe/Paris', '2026-10-25T01:00:00Z'],
    ['15 1,2 * * *', 'Europe/Paris', '2026-10-25T01:00:00Z'],
    ['30 0-2 * * *', 'Europe/Paris', '2026-10-25T01:00:00Z'],
    ['*/30 1-2 * * *', 'Europe/Paris', '2026-10-25T01:00:00Z'],
    ['*/20 * * * *', 'Europe/Paris', '2026-10-25T01:00:00Z'],
    ['30 1 * * *', 'America/New_York', '2026-11-01T06:00:00Z'],
    ['45 0,1 * * *', 'America/New_York', '2026-11-01T06:00:00Z'],
    ['*/10 1 * * *', 'Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ])('%s in %s on %s', (expression, zone, night) => {
    const change = Date.parse(night);
    const firings = firingsOf(cronTime(expression, zone), change - 30 * HOUR, 200);
    for (let now = change - 2 * HOUR; now < change + DAY; now += 29 * MINUTE) {
      const tick = firings.findLast((firing) => firing <= now);
      vi.setSystemTime(now);
      const ticks = new CronTicks(cronTime(expression, zone));
      expect({ now, tick: ticks.latest(now)?.at }).toEqual({ now, tick });
      const prepared = new CronTicks(cronTime(expression, zone));
      prepareAll(prepared, now);
      const later = now + 10 * MINUTE;
      vi.setSystemTime(later);
      expect(prepared.latest(later)?.at).toBe(firings.findLast((firing) => firing <= later));
    }
  });
});
