import { CronTime } from 'cron';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { cronTime, firingsOf, LATENESS, prepareAll, type Zone } from './firings.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A timer that fires less than this before a tick is taken to be that tick, a little early. */
const JUST_BEFORE = 11;

/** The nights to look at: those on which clocks change, or any night where they never do. */
const ZONES: [zone: Zone, nights: string[]][] = [
  ['UTC', ['2026-03-29T01:00:00Z']],
  ['Europe/Paris', ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z']],
  ['America/New_York', ['2026-03-08T07:00:00Z', '2026-11-01T06:00:00Z']],
  // Half an hour forward, and half an hour back.
  ['Australia/Lord_Howe', ['2026-10-03T15:30:00Z', '2026-04-04T15:00:00Z']],
  ['Asia/Kolkata', ['2026-03-29T01:00:00Z']],
  // One day in spring had no midnight, and one in autumn had its last hour twice.
  ['America/Sao_Paulo', ['2018-11-04T03:00:00Z', '2019-02-17T02:00:00Z']],
  ['Asia/Shanghai', ['2026-03-29T01:00:00Z']],
  [330, ['2026-03-29T01:00:00Z']],
  [-210, ['2026-10-25T01:00:00Z']],
  [0, ['2026-10-25T01:00:00Z']],
];

/** How long before the night to begin, and how many firings to look at. */
const EXPRESSIONS: [expression: string, lead: number, count: number][] = [
  ['* * * * * *', 5 * SECOND, 9],
  ['0 */10 * * * *', 35 * MINUTE, 9],
  ['*/15 1-3 * * *', 90 * MINUTE, 10],
  ['30 * * * *', 2 * HOUR, 5],
  ['30 1 * * *', 2 * DAY, 4],
  ['30 2 * * *', 2 * DAY, 4],
  ['0 0 * * *', 2 * DAY, 4],
  ['0 12 * * 1,3,6', 4 * DAY, 4],
  ['0 9 * * 1-5', 3 * DAY, 4],
  ['0 0 31 12 *', 400 * DAY, 2],
  ['0 0 29 2 *', 1500 * DAY, 1],
];

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

describe.each(ZONES)('in the zone %s', (zone, nights) => {
  it.each(EXPRESSIONS)('each firing of "%s" is its own tick', (expression, lead, count) => {
    const starts = nights.map((night) => Date.parse(night) - lead);
    expect(starts.flatMap((start) => mistakes(expression, zone, start, count))).toEqual([]);
  });

  it('each firing of "* * 9 * * *" is its own tick, the last of a day and the first of the next too', () => {
    const found = nights.flatMap((night) => {
      const [nine = 0] = firingsOf(cronTime('* * 9 * * *', zone), Date.parse(night) - DAY, 1);
      const ten = nine + HOUR;
      return [
        ...mistakes('* * 9 * * *', zone, nine - SECOND, 3),
        ...mistakes('* * 9 * * *', zone, ten - 3 * SECOND, 6),
      ];
    });
    expect(found).toEqual([]);
  });
});

/**
 * Lives through the firings as `cron` makes them, and compares each with the tick that instances work out for it: those
 * that ran before and those that have just started, on time, early, and as late as can be. Returns where they differ.
 */
function mistakes(expression: string, zone: Zone, start: number, count: number): string[] {
  const found: string[] = [];
  const firings = firingsOf(cronTime(expression, zone), start, count + 1);
  const newTicks = (): CronTicks => new CronTicks(cronTime(expression, zone));
  const [warm, late] = [newTicks(), newTicks()];
  vi.setSystemTime(start);
  for (const ticks of [warm, late]) prepareAll(ticks, start);

  for (const [index, at] of firings.slice(0, -1).entries()) {
    const next = firings[index + 1] ?? Number.NaN;
    const keep = Math.min(Math.max(next - at, MINUTE), 366 * DAY);
    const compare = (who: string, now: number, ticks: CronTicks): void => {
      const tick = latest(ticks, now);
      // How long a tick is kept matters when it is run, and cannot be known just before the clocks go back.
      if (tick?.at === at && (tick.keep === keep || now < at)) return;
      const text = tick ? `${new Date(tick.at).toISOString()}, kept for ${tick.keep} ms` : 'none';
      found.push(`${who}: for ${new Date(at).toISOString()}, kept for ${keep} ms, found ${text}`);
    };
    compare('just started, early', at - 1, newTicks());
    compare('warm, on time', at + LATENESS, warm);
    prepareAll(warm, at + LATENESS);
    compare('just started, on time', at + LATENESS, newTicks());
    compare('warm, late', next - JUST_BEFORE, late);
    prepareAll(late, next - JUST_BEFORE);
    compare('just started, late', next - JUST_BEFORE, newTicks());
  }
  return found;
}

function latest(ticks: CronTicks, now: number): ReturnType<CronTicks['latest']> {
  vi.setSystemTime(now);
  return ticks.latest(now);
}

describe('where no zone is given', () => {
  const { TZ } = process.env;
  afterEach(() => {
    if (TZ === undefined) delete process.env['TZ'];
    else process.env['TZ'] = TZ;
  });

  it.each(['Asia/Kolkata', 'Europe/Paris'])('the zone of the machine counts: %s', (zone) => {
    process.env['TZ'] = zone;
    const start = Date.parse('2026-10-23T12:00:00Z');
    const ofMachine = firingsOf(new CronTime('30 2 * * *'), start, 4);
    expect(ofMachine).toEqual(firingsOf(cronTime('30 2 * * *', zone), start, 4));
    for (const at of ofMachine) {
      expect(latest(new CronTicks(new CronTime('30 2 * * *')), at + LATENESS)?.at).toBe(at);
    }
  });
});

describe('the search for a tick', () => {
  it('finds one that is years ago', () => {
    const ticks = new CronTicks(cronTime('0 0 29 2 *', 'UTC'));
    expect(latest(ticks, Date.parse('2026-11-22T12:00:00Z'))).toMatchObject({
      at: Date.parse('2024-02-29T00:00:00Z'),
      keep: 366 * DAY,
    });
  });

  it('finds the tick before another, and none before the only one', () => {
    const ticks = new CronTicks(cronTime('* * * * * *', 'UTC'));
    const now = Date.parse('2026-11-22T12:34:56.000Z');
    const newest = ticks.latest(now);
    expect(newest?.at).toBe(now);
    expect(newest && ticks.tickBefore(newest)).toMatchObject({ at: now - SECOND, next: now });
    const once = new CronTicks(new CronTime(new Date(now)));
    const only = once.latest(now);
    expect(only?.at).toBe(now);
    expect(only && once.tickBefore(only)).toBeUndefined();
  });

  it('goes on where instances have slept through many ticks', () => {
    const ticks = new CronTicks(cronTime('*/10 * * * * *', 'UTC'));
    const start = Date.parse('2026-11-22T12:00:00Z');
    prepareAll(ticks, start);
    for (const slept of [10, 20, 30, 70, 3_600, 90_000]) {
      const at = start + slept * SECOND;
      expect(latest(ticks, at + 4_321)?.at).toBe(at);
    }
  });

  it('goes back where the clock of the machine does', () => {
    const ticks = new CronTicks(cronTime('*/10 * * * * *', 'UTC'));
    const start = Date.parse('2026-11-22T12:00:00Z');
    prepareAll(ticks, start);
    expect(latest(ticks, start - 25 * SECOND)?.at).toBe(start - 30 * SECOND);
  });

  // On the 29 February of 2024 the one after next, of 2032, is further away than `cron` looks.
  it('leaves ticks alone that are further away than cron looks', () => {
    const ticks = new CronTicks(cronTime('0 0 29 2 *', 'Asia/Kolkata'));
    const at = Date.parse('2024-02-28T18:30:00Z');
    vi.setSystemTime(at + LATENESS);
    expect(() => prepareAll(ticks, at + LATENESS)).not.toThrow();
    expect(latest(ticks, at + LATENESS)).toMatchObject({ at, keep: 366 * DAY });
  });

  it.each(['Europe/Paris', 'Australia/Lord_Howe'])('ends at every moment of the night in %s', (zone) => {
    const [night = 0] = (zone === 'Europe/Paris' ? ['2026-10-25T01:00:00Z'] : ['2026-04-04T15:00:00Z']).map(
      (text) => Date.parse(text),
    );
    for (let offset = -90 * MINUTE; offset <= 90 * MINUTE; offset += 15 * MINUTE) {
      for (const moment of [-12, -9, -5, -1, 0, 1, 12].map((shift) => night + offset + shift)) {
        const ticks = new CronTicks(cronTime('*/15 1-3 * * *', zone));
        vi.setSystemTime(moment);
        prepareAll(ticks, moment);
        expect(ticks.latest(moment)?.at).toBeLessThanOrEqual(moment + JUST_BEFORE);
      }
    }
  });
});

describe('a schedule of one time only', () => {
  const at = Date.parse('2026-11-22T10:00:00.250Z');

  it.each([
    ['a Date', () => new Date(at)],
    ['a DateTime', () => cronTime(new Date(at), 'Asia/Kolkata').sendAt()],
  ])('given as %s has that time as its tick, for a day', (_kind, source) => {
    vi.setSystemTime(at - HOUR);
    const newTicks = (): CronTicks => new CronTicks(cronTime(source(), 'Europe/Paris'));
    const warm = newTicks();
    prepareAll(warm, at - HOUR);
    expect(warm.latest(at - HOUR)).toBeUndefined();
    expect(warm.latest(at - JUST_BEFORE)).toBeUndefined();
    for (const ticks of [warm, newTicks()]) {
      for (const late of [-1, 0, LATENESS, 20 * DAY]) {
        expect(latest(ticks, at + late)).toMatchObject({ at, keep: 366 * DAY });
        prepareAll(ticks, at + late);
      }
    }
  });
});
