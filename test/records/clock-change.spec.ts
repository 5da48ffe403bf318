import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { systemClock } from '../../src/clock.js';
import { ticksBetween } from '../../src/records/missed-ticks.js';
import { cronTime, firingsOf, LATENESS, type Zone } from '../schedule/firings.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The nights on which clocks change, forward and back. */
const NIGHTS: [zone: Zone, nights: string[]][] = [
  ['Europe/Berlin', ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z']],
  ['America/New_York', ['2026-03-08T07:00:00Z', '2026-11-01T06:00:00Z']],
];

/** How long before the night to begin, and how many firings to look at. */
const EXPRESSIONS: [expression: string, lead: number, count: number][] = [
  ['0 */10 * * * *', 2.5 * HOUR, 30],
  ['*/20 1-3 * * *', 2.5 * HOUR, 18],
  ['0 * * * *', 4 * HOUR, 9],
  ['30 * * * *', 4 * HOUR, 9],
  ['30 1 * * *', 2 * DAY, 5],
  ['30 2 * * *', 2 * DAY, 5],
  ['0 3 * * *', 2 * DAY, 5],
  ['0 0 * * *', 2 * DAY, 5],
];

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

describe.each(NIGHTS)('in the nights of %s on which clocks change', (zone, nights) => {
  it.each(EXPRESSIONS)(
    'no tick of "%s" is found missing if each has run',
    async (expression, lead, count) => {
      const invented: string[] = [];
      for (const night of nights) {
        const firings = firingsOf(cronTime(expression, zone), Date.parse(night) - lead, count);
        for (const [before, at] of pairs(firings)) {
          vi.setSystemTime(at + LATENESS);
          const missed = await ticksBetween(
            new CronTicks(cronTime(expression, zone)),
            before,
            at,
            systemClock,
          );
          invented.push(...missed.map((tick) => `${iso(tick)} between ${iso(before)} and ${iso(at)}`));
        }
      }
      expect(invented).toEqual([]);
    },
  );

  it.each(EXPRESSIONS)(
    'one tick of "%s" that has not run is found, and only that',
    async (expression, lead, count) => {
      const wrong: string[] = [];
      for (const night of nights) {
        const firings = firingsOf(cronTime(expression, zone), Date.parse(night) - lead, count);
        for (const [index, at] of firings.entries()) {
          const [before, between] = [firings[index - 2], firings[index - 1]];
          if (before === undefined || between === undefined) continue;
          vi.setSystemTime(at + LATENESS);
          const missed = await ticksBetween(
            new CronTicks(cronTime(expression, zone)),
            before,
            at,
            systemClock,
          );
          if (missed.length !== 1 || missed[0] !== between)
            wrong.push(`${missed.map(iso).join(' and ')} instead of ${iso(between)} before ${iso(at)}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );
});

const iso = (at: number): string => new Date(at).toISOString().slice(5, 16);

function pairs(list: readonly number[]): [number, number][] {
  return list.slice(1).map((at, index) => [list[index] ?? 0, at]);
}
