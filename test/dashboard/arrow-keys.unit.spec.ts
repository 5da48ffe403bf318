import { describe, expect, it } from 'vitest';
import { stepped } from '../../src/dashboard/page/model/arrow-keys.js';
import { type JobRow, rowOf } from '../../src/dashboard/page/model/job-row.js';
import { jobOf, runOf } from './job-of.js';

const MINUTE = 60_000;
const T = Date.UTC(2026, 5, 1, 12);
const NOW = T + 60 * MINUTE;

/** A job that ran at these times, in minutes after T, and is due at another one. */
const row = (name: string, minutes: number[], due?: number): JobRow =>
  rowOf(
    jobOf({
      name,
      runs: minutes.toReversed().map((minute) => runOf(T + minute * MINUTE)),
      ticks: due === undefined ? [] : [T + due * MINUTE],
    }),
    NOW,
  );

const rows = [row('idle', []), row('late', [10, 20, 30], 70), row('early', [1, 12])];

/** Where the keys lead, one after another: the job, and the time of the mark in minutes after T. */
function after(...keys: string[]): [string | undefined, number | undefined] {
  const active = keys.reduce<ReturnType<typeof stepped>>((now, key) => stepped(rows, now, key), undefined);
  return [active?.name, active?.mark && (active.mark.at - T) / MINUTE];
}

describe('the arrow keys', () => {
  it('begin in the first row, which may have no mark', () => {
    expect(after('ArrowDown')).toEqual(['idle', undefined]);
  });

  it('lead from a row without a mark to the newest one of the next row that is not in the future', () => {
    expect(after('ArrowDown', 'ArrowDown')).toEqual(['late', 30]);
  });

  it('lead up and down to the mark that is next in time, and not beyond the last row', () => {
    const down = ['ArrowDown', 'ArrowDown'];
    expect(after(...down, 'ArrowLeft', 'ArrowLeft', 'ArrowDown')).toEqual(['early', 12]);
    expect(after(...down, 'ArrowDown', 'ArrowDown')).toEqual(['early', 12]);
    expect(after(...down, 'ArrowDown', 'ArrowLeft', 'ArrowUp')).toEqual(['late', 10]);
  });

  it('lead past a tick that was run twice', () => {
    const [, ...died] = runOf(T + 10 * MINUTE, null, 'died');
    const runs = [20, 10, 5].map((minute) => runOf(T + minute * MINUTE));
    const twice = [rowOf(jobOf({ runs: [...runs, ['died', ...died]] }), NOW)];
    let active = stepped(twice, undefined, 'End');
    const way = ['ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'ArrowRight', 'ArrowRight', 'ArrowRight'].map(
      (key) => {
        active = stepped(twice, active, key);
        return active?.mark && (active.mark.at - T) / MINUTE;
      },
    );
    expect(way).toEqual([10, 10, 5, 10, 10, 20]);
  });

  it('lead left and right from mark to mark, also to one that is due, and not beyond the ends', () => {
    const down = ['ArrowDown', 'ArrowDown'];
    expect(after(...down, 'ArrowRight', 'ArrowRight')).toEqual(['late', 70]);
    expect(after(...down, 'Home', 'ArrowLeft')).toEqual(['late', 10]);
    expect(after(...down, 'Home', 'End')).toEqual(['late', 70]);
  });
});
