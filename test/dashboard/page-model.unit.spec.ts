import { describe, expect, it } from 'vitest';
import { isIn, matches, rowOf, sorted, unrecordedRun } from '../../src/dashboard/page/model/job-row.js';
import type { Job } from '../../src/dashboard/page/model/marks.js';
import { percentile } from '../../src/dashboard/page/model/statistics.js';
import {
  axisTicks,
  firstLength,
  LONGEST,
  SHORTEST,
  zoomed,
} from '../../src/dashboard/page/model/time-axis.js';
import { duration, inZone, percent, relative, schedule } from '../../src/dashboard/page/model/words.js';
import { jobOf, optionsOf, runOf, statusOf } from './job-of.js';

const T = Date.UTC(2026, 5, 1, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const statisticsOf = (runs: Job['runs']) => rowOf(jobOf({ runs }), T + DAY).statistics;

const cronInWords = (expression: string) => schedule({ kind: 'cron', expression, timeZone: 'Europe/Berlin' });

describe('the statistics of a job', () => {
  it('are empty without a run', () => {
    expect(statisticsOf([])).toEqual({ successRate: null, p95: null, missed: 0, runs: 0 });
  });

  it('count every run, and take the durations of those that ended', () => {
    const runs = [runOf(T + 3, null, 'died'), runOf(T + 2, 300, 'failed'), runOf(T + 1, 200), runOf(T, 100)];
    expect(statisticsOf(runs)).toEqual({ successRate: 0.5, p95: 300, missed: 0, runs: 4 });
  });

  it.each([
    [[], 0.95, null],
    [[7], 0.95, 7],
    [Array.from({ length: 100 }, (_one, index) => 100 - index), 0.95, 95],
  ])('have the nearest rank for a percentile', (values, share, result) => {
    expect(percentile(values, share)).toBe(result);
  });
});

describe('the rows of the overview', () => {
  const row = (name: string, job: Partial<Job> = {}) => rowOf(jobOf({ name, ...job }), T + HOUR);
  const slow = row('slow', { runs: [runOf(T, 900, 'failed')] });
  const quick = row('Quick', { runs: [runOf(T + MINUTE, 10)] });
  const never = row('never', { schedule: { kind: 'cron', expression: '0 8 * * *', timeZone: 'Asia/Tokyo' } });

  it.each([
    ['name', false, ['never', 'Quick', 'slow']],
    ['name', true, ['slow', 'Quick', 'never']],
    ['p95', false, ['Quick', 'slow', 'never']],
    ['p95', true, ['slow', 'Quick', 'never']],
    ['last', true, ['Quick', 'slow', 'never']],
    ['missed', true, ['Quick', 'never', 'slow']],
  ] as const)('are sorted by %s, descending: %s, with the unknown at the end', (by, isDescending, names) => {
    expect(sorted([slow, never, quick], { by, isDescending }).map(({ name }) => name)).toEqual(names);
  });

  const found = (filter: string) =>
    [slow, quick, never].filter((one) => matches(one, filter)).map(({ name }) => name);

  it('are found by all words of a filter, in their name, schedule or time zone', () => {
    expect(found('')).toHaveLength(3);
    expect(found('QUI')).toEqual(['Quick']);
    expect(found('tokyo  nev')).toEqual(['never']);
    expect(found('tokyo slow')).toEqual([]);
  });

  it('are in the states that their jobs are in', () => {
    const now = new Date(T).toISOString();
    const busy = row('busy', {
      status: statusOf({
        running: { runId: 'r', instanceId: 'web-1', tick: null, startedAt: now },
        paused: { by: 'web-1', at: now, since: now, until: null, note: null },
        overdueBy: 5,
      }),
    });
    const states = (one: typeof busy) =>
      (['all', 'running', 'failing', 'late', 'paused'] as const).filter((state) => isIn(state, one));
    expect(states(busy)).toEqual(['all', 'running', 'late', 'paused']);
    expect(states(slow)).toEqual(['all', 'failing']);
    expect(states(quick)).toEqual(['all']);
  });
});

/** With spaces at which lines may break. */
const plain = (words: string): string => words.replaceAll('\u00A0', ' ');

describe('words', () => {
  it.each([
    [0, '0 ms'],
    [340, '340 ms'],
    [4260, '4.2 s'],
    [59_999, '59 s'],
    [200_000, '3 min 20 s'],
    [2 * HOUR, '2 h'],
    [3 * DAY + 4 * HOUR + 5, '3 d 4 h'],
  ])('for %d ms are %s', (ms, words) => expect(plain(duration(ms))).toBe(words));

  it.each([
    [T, 'now'],
    [T - 5000, '5 s ago'],
    [T - 200_000, '3 min ago'],
    [T + 200_000, 'in 3 min 20 s'],
    [T + 15 * MINUTE + 7000, 'in 15 min'],
    [T + 90 * MINUTE, 'in 1 h 30 min'],
  ])('for %d, seen from T, are %s', (at, words) => expect(plain(relative(at, T))).toBe(words));

  it.each([
    [1, '100 %'],
    [0.99999, '99.9 %'],
    [0.5, '50.0 %'],
    [0, '0 %'],
  ])('for a share of %d are %s', (share, words) => expect(percent(share)).toBe(words));

  it('say a schedule, or repeat an expression that they do not know', () => {
    expect(cronInWords('0 */10 * * * *')).toEqual({ words: 'Every 10 minutes', zone: 'Europe/Berlin' });
    expect(cronInWords('<b>').words).toBe('<b>');
    expect(plain(schedule({ kind: 'interval', every: 5000 }).words)).toBe('Every 5.0 s');
  });

  it('give a tick the offset of its zone, and survive a zone that only the scheduler knows', () => {
    expect(inZone(Date.UTC(2026, 9, 25, 0, 59), 'Europe/Berlin').offset).toBe('GMT+2');
    expect(inZone(Date.UTC(2026, 9, 25, 1), 'Europe/Berlin').offset).toBe('GMT+1');
    expect(inZone(T, 'Nowhere/None').time).not.toBe('');
  });

  it('give a tick of a schedule with utcOffset its own time', () => {
    const at = Date.UTC(2026, 0, 1, 6);
    expect(inZone(at, 'UTC-03:30')).toEqual({
      time: inZone(at - 3.5 * HOUR, 'UTC').time,
      offset: 'UTC-03:30',
    });
    expect(inZone(at, 'UTC+00:00').time).toBe(inZone(at, 'UTC').time);
  });
});

const lastOf = (job: Partial<Job>) => rowOf(jobOf(job), T + HOUR);

describe('the last run of a job', () => {
  it('is the one that began last, if the tick was taken over or retried', () => {
    const row = lastOf({
      runs: [
        ['r2', T, T + 60_000, 5, 'finished', 'web-2', 'recover', null],
        ['r1', T, T + 5, null, 'died', 'web-1', 'schedule', null],
      ],
    });
    expect(row.last?.runId).toBe('r2');
    expect(isIn('failing', row)).toBe(false);
  });

  it('is the one that began last, if an older tick was made up for since', () => {
    const row = lastOf({
      runs: [
        ['r2', T - HOUR, T + 60_000, 5, 'failed', 'web-2', 'catch-up', null],
        ['r1', null, T + 5, 5, 'finished', 'web-1', 'manual', null],
      ],
    });
    expect(row.last).toMatchObject({ runId: 'r2', begin: T + 60_000 });
    expect(isIn('failing', row)).toBe(true);
  });

  it('is never said to be none if it is only not on record', () => {
    const status = statusOf({ lastTick: null });
    expect(unrecordedRun(lastOf({ status }))).toBe('never');
    expect(unrecordedRun(lastOf({ status: { ...status, lastTick: new Date(T).toISOString() } }))).toBe(T);
    expect(unrecordedRun(lastOf({ status, options: optionsOf({ history: 0 }) }))).toBeUndefined();
    expect(unrecordedRun(lastOf({ status: undefined }))).toBeUndefined();
  });
});

describe('the axis of the timeline', () => {
  it.each([MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 31 * DAY])(
    'has round labels that leave room over %d ms',
    (length) => {
      const ticks = axisTicks({ from: T, to: T + length }, 1000);
      expect(ticks.length).toBeGreaterThan(2);
      expect(ticks.length).toBeLessThanOrEqual(12);
      expect(ticks.every(({ at }) => at >= T && at <= T + length && at % 1000 === 0)).toBe(true);
      const sorts = ticks.map(({ at }) => at);
      expect(sorts).toEqual(sorts.toSorted((a, b) => a - b));
    },
  );

  it('zooms about the moment that is pointed at, within its limits', () => {
    expect(zoomed({ from: T, to: T + HOUR }, 0.5, T + HOUR / 4)).toEqual({
      from: T + HOUR / 8,
      to: T + HOUR * 0.625,
    });
    const shortest = zoomed({ from: T, to: T + HOUR }, 1e-9);
    expect(shortest.to - shortest.from).toBeCloseTo(SHORTEST);
    const longest = zoomed({ from: T, to: T + HOUR }, 1e9);
    expect(longest.to - longest.from).toBeCloseTo(LONGEST);
  });

  it.each([
    [undefined, HOUR],
    [20_000, MINUTE],
    [57_000, 10 * MINUTE],
    [10 * MINUTE, HOUR],
    [7 * DAY, HOUR],
  ])('shows, if the oldest run is %d ms old, %d ms at first', (age, length) => {
    expect(firstLength(age === undefined ? undefined : T - age, T)).toBe(length);
  });
});
