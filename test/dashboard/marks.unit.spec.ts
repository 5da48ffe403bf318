import { describe, expect, it } from 'vitest';
import type { ScheduleInfo } from '../../src/dashboard/redlock-data.js';
import { type Job, marksOf } from '../../src/dashboard/page/model/marks.js';
import { statisticsOf } from '../../src/dashboard/page/model/statistics.js';
import { jobOf, optionsOf, runOf, statusOf } from './job-of.js';

const MINUTE = 60_000;
const T = Date.UTC(2026, 5, 1, 12);
const LATER = T + 60 * MINUTE;
const everyMinute: ScheduleInfo = { kind: 'cron', expression: '* * * * *', timeZone: 'UTC' };
/** Jobs of which a tick without a record may have been run, or was not meant to run. */
const UNTOLD: [string, Partial<Job>][] = [
  ['runs that may overlap', { options: optionsOf({ overlap: 'allow' }) }],
  ['ticks that are not all meant to run', { options: optionsOf({ every: 90_000 }) }],
  ['ticks that run without a quorum', { options: optionsOf({ onStoreDown: 'run' }) }],
];
const iso = (at: number): string => new Date(at).toISOString();

/** The kinds of marks, and when they are, in minutes after T. */
const kinds = (job: Job, now = LATER): [string, number][] =>
  marksOf(job, now).map(({ kind, at }) => [kind, (at - T) / MINUTE]);

describe('the marks of a job', () => {
  it('show each outcome at its tick, with the run that began there', () => {
    const runs = [
      runOf(T + 3 * MINUTE, null, 'died'),
      runOf(T + 2 * MINUTE, 100, 'aborted'),
      runOf(T + MINUTE, 100, 'failed'),
      runOf(T),
    ];
    expect(kinds(jobOf({ runs }))).toEqual([
      ['ran', 0],
      ['failed', 1],
      ['aborted', 2],
      ['died', 3],
    ]);
    const [first, , , died] = marksOf(jobOf({ runs }), LATER);
    expect(first).toMatchObject({ begin: T + 5, end: T + 105, instance: 'web-1', isTick: true });
    expect(died).not.toHaveProperty('end');
  });

  it('show a plain call when it began', () => {
    const [mark] = marksOf(jobOf({ runs: [['r', null, T, 5, 'finished', 'web-1', 'call', null]] }), LATER);
    expect(mark).toMatchObject({ kind: 'ran', at: T, isTick: false });
  });

  it('show the run in progress once, even if it is on record already', () => {
    const running = { runId: `run-${T}`, instanceId: 'web-1', tick: iso(T), startedAt: iso(T + 2) };
    const status = statusOf({ running });
    expect(kinds(jobOf({ status }))).toEqual([['running', 0]]);
    expect(kinds(jobOf({ status, runs: [runOf(T)] }))).toEqual([['ran', 0]]);
    expect(kinds(jobOf({ status: statusOf({ running: { ...running, tick: null } }) }))[0]?.[0]).toBe(
      'running',
    );
  });

  it('show ticks to come as due, and so those that may still be claimed', () => {
    const job = jobOf({ runs: [runOf(T)], ticks: [T + MINUTE, T + 2 * MINUTE] });
    expect(kinds(job, T + MINUTE + 14_000).slice(1)).toEqual([
      ['due', 1],
      ['due', 2],
    ]);
  });

  it('show a known tick without a record as missed', () => {
    const job = jobOf({ runs: [runOf(T)], ticks: [T + MINUTE] });
    expect(kinds(job, T + MINUTE + 16_000)).toEqual([
      ['ran', 0],
      ['missed', 1],
    ]);
  });

  it('show a tick as due for as long as it may be spread', () => {
    const job = jobOf({
      runs: [runOf(T)],
      ticks: [T + 20 * MINUTE],
      options: optionsOf({ spread: 600_000 }),
    });
    expect(kinds(job, T + 30 * MINUTE)[1]).toEqual(['due', 20]);
    expect(kinds(job, T + 31 * MINUTE)[1]).toEqual(['missed', 20]);
  });

  it('show a tick as due that waits for the run in progress, until the next tick', () => {
    const running = { runId: 'r', instanceId: 'web-1', tick: iso(T), startedAt: iso(T) };
    const ticks = [1, 2, 3].map((minutes) => T + minutes * MINUTE);
    const options = optionsOf({ overlap: 'buffer-one' });
    const job = jobOf({ ticks, options, status: statusOf({ running }) });
    const now = T + 2.5 * MINUTE;
    expect(kinds(job, now)).toEqual([
      ['running', 0],
      ['overlap', 1],
      ['due', 2],
      ['due', 3],
    ]);
    expect(kinds({ ...job, options: optionsOf({}) }, now)[2]).toEqual(['overlap', 2]);
    // It has just ended.
    const ended = jobOf({ ticks, options, runs: [runOf(T, 2.5 * MINUTE - 1000)] });
    expect(kinds(ended, now)[2]).toEqual(['due', 2]);
    expect(kinds(ended, now + 16_000)[2]).toEqual(['overlap', 2]);
    expect(kinds(jobOf({ ticks, options, runs: [runOf(T)] }), now)[2]).toEqual(['missed', 2]);
  });

  it('show no tick as missed of a job without records', () => {
    expect(kinds(jobOf({ ticks: [T] }))).toEqual([]);
  });

  it.each<[string, Partial<Job>]>([
    ...UNTOLD,
    ['an interval', { schedule: { kind: 'interval', every: MINUTE } }],
    ['unknown options', { schedule: { kind: 'none' }, options: null }],
  ])('show no tick as missed of a job with %s', (_what, job) => {
    expect(kinds(jobOf({ runs: [runOf(T)], ticks: [T + MINUTE], ...job }))).toEqual([['ran', 0]]);
  });

  it('show the gaps of events with their causes', () => {
    const gaps: Job['gaps'] = [
      [T, T + 2 * MINUTE, 3, 'store-down', 'missed'],
      [T + 3 * MINUTE, T + 3 * MINUTE, 1, 'overlap', 'skipped'],
      [T + 4 * MINUTE, T + 4 * MINUTE, 1, 'paused', 'skipped'],
    ];
    expect(kinds(jobOf({ gaps, schedule: everyMinute }))).toEqual([
      ['missed', 0],
      ['missed', 1],
      ['missed', 2],
      ['overlap', 3],
      ['paused', 4],
    ]);
    expect(marksOf(jobOf({ gaps }), LATER)[0]?.cause).toBe('store-down');
  });

  it('show a gap only at both its ends if its ticks are not known', () => {
    const gaps: Job['gaps'] = [[T, T + 4 * MINUTE, 3, 'unknown', 'missed']];
    expect(marksOf(jobOf({ gaps }), LATER)).toMatchObject([
      { kind: 'missed', at: T, count: 2 },
      { kind: 'missed', at: T + 4 * MINUTE },
    ]);
    const skipped: Job['gaps'] = [[T, T + 4 * MINUTE, 3, 'paused', 'skipped']];
    expect(kinds(jobOf({ gaps: skipped }))).toEqual([
      ['paused', 0],
      ['paused', 2],
      ['paused', 4],
    ]);
  });

  it.each([1000, 20_000])('show only the first and the last of %d ticks in a row, and count all', (count) => {
    const gaps: Job['gaps'] = [[T, T + (count - 1) * MINUTE, count, 'store-down', 'missed']];
    const runs = [runOf(T - MINUTE), runOf(T + count * MINUTE)];
    const told = marksOf(jobOf({ gaps, schedule: everyMinute, runs }), T + 2 * count * MINUTE);
    const inferred = marksOf(jobOf({ schedule: everyMinute, runs }), T + 2 * count * MINUTE);
    for (const marks of [told, inferred]) {
      expect(marks).toMatchObject([
        { kind: 'ran' },
        { kind: 'missed', at: T, count: count - 1 },
        { kind: 'missed', at: T + (count - 1) * MINUTE },
        { kind: 'ran' },
      ]);
      expect(statisticsOf(marks).missed).toBe(count);
    }
  });

  it.each([200, 2000])('count %d ticks of an outage in which no instance had a quorum', (count) => {
    const gaps: Job['gaps'] = [[T, T + (count - 1) * MINUTE, count, 'store-down', 'skipped']];
    const runs = [runOf(T - MINUTE), runOf(T + count * MINUTE)];
    const marks = marksOf(jobOf({ gaps, schedule: everyMinute, runs }), T + 2 * count * MINUTE);
    expect(statisticsOf(marks).missed).toBe(count);
  });

  it('count a tick that found a run in progress apart from those missed after it', () => {
    const runs = [runOf(T, 90_000), runOf(T + 480 * MINUTE)];
    const marks = marksOf(jobOf({ runs, schedule: everyMinute }), T + 500 * MINUTE);
    expect(marks.map(({ kind }) => kind)).toEqual(['ran', 'overlap', 'missed', 'missed', 'ran']);
    expect(statisticsOf(marks).missed).toBe(478);
  });

  it.each([200, 2000])(
    'leave out what another instance has run, or may have run, of %d ticks while this one had no quorum',
    (count) => {
      const gaps: Job['gaps'] = [[T, T + (count - 1) * MINUTE, count, 'store-down', 'skipped']];
      const runs = Array.from({ length: 50 }, (_one, index) => runOf(T + (count - 50 + index) * MINUTE));
      const marks = marksOf(jobOf({ gaps, runs, schedule: everyMinute }), T + (count + 100) * MINUTE);
      expect(new Set(marks.map(({ kind }) => kind))).toEqual(new Set(['ran']));
    },
  );

  it('show a gap once, although its ticks were skipped one by one, too', () => {
    const gaps: Job['gaps'] = [
      [T, T, 1, 'paused', 'skipped'],
      [T + MINUTE, T + 4 * MINUTE, 2, 'paused', 'skipped'],
      [T, T + 6 * MINUTE, 4, 'paused', 'missed'],
      [T, T + 6 * MINUTE, 4, 'paused', 'missed'],
    ];
    expect(marksOf(jobOf({ gaps }), LATER)).toMatchObject([{ at: T, count: 3 }, { at: T + 6 * MINUTE }]);
  });

  it('show no gap where another instance ran the tick, nor the same gap twice', () => {
    const gap = [T, T, 1, 'overlap', 'missed'] as const;
    expect(kinds(jobOf({ gaps: [gap], runs: [runOf(T)] }))).toEqual([['ran', 0]]);
    expect(kinds(jobOf({ gaps: [gap, [T, T, 1, 'unknown', 'missed']] }))).toEqual([['overlap', 0]]);
  });

  it('do not let a gap of years grow them', () => {
    expect(marksOf(jobOf({ gaps: [[T, T + 1e12, 1e9, 'unknown', 'missed']] }), LATER)).toHaveLength(2);
  });

  it('explain a missing tick by the run that was in progress', () => {
    const job = jobOf({ runs: [runOf(T, 90_000)], ticks: [T + MINUTE, T + 2 * MINUTE] });
    expect(kinds(job)).toEqual([
      ['ran', 0],
      ['overlap', 1],
      ['missed', 2],
    ]);
  });

  it('explain a missing tick by the pause that lasts', () => {
    const paused = {
      by: 'web-1',
      at: iso(T + 2 * MINUTE),
      since: iso(T + MINUTE),
      until: iso(T + 3 * MINUTE),
      note: null,
    };
    const ticks = [1, 2, 3].map((minutes) => T + minutes * MINUTE);
    expect(kinds(jobOf({ runs: [runOf(T)], ticks, status: statusOf({ paused }) }))).toEqual([
      ['ran', 0],
      ['paused', 1],
      ['paused', 2],
      ['missed', 3],
    ]);
  });
});

describe('the ticks between those on record', () => {
  const two = [runOf(T + 3 * MINUTE), runOf(T)];

  it('are inferred if all ticks are equally far apart', () => {
    expect(kinds(jobOf({ runs: two, schedule: everyMinute }))).toEqual([
      ['ran', 0],
      ['missed', 1],
      ['missed', 2],
      ['ran', 3],
    ]);
  });

  it('are not inferred from runs before the schedule was changed', () => {
    const runs = [...two, runOf(T - 9 * MINUTE)];
    expect(kinds(jobOf({ runs, schedule: everyMinute, sameSince: T }))).toEqual([
      ['ran', -9],
      ['ran', 0],
      ['missed', 1],
      ['missed', 2],
      ['ran', 3],
    ]);
  });

  it('are inferred up to the next tick, leaving out what may still be claimed', () => {
    const status = statusOf({ nextTick: iso(T + 6 * MINUTE) });
    const job = jobOf({ runs: [runOf(T + 3 * MINUTE)], schedule: everyMinute, status });
    expect(kinds(job, T + 5 * MINUTE + 5000)).toEqual([
      ['ran', 3],
      ['missed', 4],
    ]);
  });

  it.each<[string, Partial<Job>]>([
    ['office hours', { schedule: { ...everyMinute, expression: '* 9-17 * * *' } }],
    ['weekdays', { schedule: { ...everyMinute, expression: '* * * * 1-5' } }],
    ['a step that the records do not keep', { schedule: { ...everyMinute, expression: '*/2 * * * *' } }],
    ['a third of the hour', { schedule: { ...everyMinute, expression: '0-23 * * * *' } }],
    ['no schedule', { schedule: { kind: 'none' } }],
    ['runs whose schedule is not known', { schedule: everyMinute, sameSince: null }],
    ...UNTOLD.map(([what, job]): [string, Partial<Job>] => [what, { schedule: everyMinute, ...job }]),
  ])('are not inferred from %s', (_what, job) => {
    expect(kinds(jobOf({ runs: two, ...job })).map(([kind]) => kind)).toEqual(['ran', 'ran']);
  });

  it('are not inferred while they may still be claimed', () => {
    const now = T + 8 * MINUTE;
    const from = (options: Job['options'], known: Job['runs'] = [runOf(T)]) => {
      const status = statusOf({ nextTick: iso(T + 10 * MINUTE) });
      const schedule: ScheduleInfo = { ...everyMinute, expression: '*/5 * * * *' };
      return kinds(jobOf({ runs: known, schedule, status, options }), now).map(([kind]) => kind);
    };
    expect(from(optionsOf({}))).toEqual(['ran', 'missed']);
    expect(from(optionsOf({ spread: 4 * MINUTE }))).toEqual(['ran']);
    const options = optionsOf({ overlap: 'buffer-one' });
    expect(from(options)).toEqual(['ran', 'missed']);
    expect(from(options, [runOf(T, 8 * MINUTE - 1000)])).toEqual(['ran']);
  });

  it('are not inferred across a change from daylight saving time', () => {
    const schedule: ScheduleInfo = { kind: 'cron', expression: '*/30 * * * *', timeZone: 'Europe/Berlin' };
    // Clocks are set back at 01:00 UTC.
    const night = Date.UTC(2026, 9, 25);
    const across = [runOf(night + 120 * MINUTE), runOf(night)];
    expect(marksOf(jobOf({ runs: across, schedule }), night + 300 * MINUTE)).toHaveLength(2);
    const after = [runOf(night + 240 * MINUTE), runOf(night + 120 * MINUTE)];
    expect(marksOf(jobOf({ runs: after, schedule }), night + 300 * MINUTE)).toHaveLength(5);
    const ofTheProcess = { schedule: { ...schedule, timeZone: null }, zone: 'Europe/Berlin' };
    expect(marksOf(jobOf({ runs: across, ...ofTheProcess }), night + 300 * MINUTE)).toHaveLength(2);
    expect(marksOf(jobOf({ runs: after, ...ofTheProcess }), night + 300 * MINUTE)).toHaveLength(5);
  });

  it('are not inferred across a whole period of daylight saving time', () => {
    const schedule: ScheduleInfo = { kind: 'cron', expression: '0 2 * * *', timeZone: 'Europe/Berlin' };
    const january = Date.UTC(2026, 0, 1, 1);
    const years = [runOf(january + 365 * 24 * 60 * MINUTE), runOf(january)];
    expect(marksOf(jobOf({ runs: years, schedule }), january + 400 * 24 * 60 * MINUTE)).toHaveLength(2);
  });
});
