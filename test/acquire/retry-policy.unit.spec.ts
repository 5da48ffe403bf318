import { describe, expect, it } from 'vitest';
import { type Denial, givenUp, OVERLOAD, type Undecided } from '../../src/acquire/outcome.js';
import { nextDelay, type Progress } from '../../src/acquire/retry-policy.js';
import type { SkipReason } from '../../src/runs/run-outcome.js';

const denied = (reason: SkipReason, rank?: number): Denial => ({ kind: 'denied', reason, rank, causes: [] });
const byLead = (rank?: number): Undecided => ({ kind: 'denied by lead', denial: denied('elsewhere', rank) });
const overlapByLead = (rank?: number): Undecided => ({
  kind: 'denied by lead',
  denial: denied('overlap', rank),
});
const early = (wait: number): Undecided => ({ kind: 'early', wait });
const SPLIT: Undecided = { kind: 'split' };
const DOWN = denied('store-down');

/** The delay after a first attempt that took no time, for a tick, with `nodeTimeout` 500. */
function delayAfter(result: Progress['result'], progress: Partial<Progress> = {}, random = 0.5) {
  const usual = {
    attempt: 0,
    contested: 0,
    elapsed: 0,
    waitedUntilDue: 0,
    waitLimit: 0,
    isTick: true,
    recovers: false,
    isOutOfTime: false,
    total: 0,
    bufferLeft: undefined,
    awaited: undefined,
    took: 0,
    nodeTimeout: 500,
  };
  return nextDelay({ ...usual, result, ...progress }, random);
}

describe('the next attempt comes', () => {
  it.each<
    [string, Progress['result'], Partial<Progress>, least: number | undefined, most: number | undefined]
  >([
    ['never, for a tick that is run elsewhere', denied('elsewhere'), {}, undefined, undefined],
    ['never, for a tick that is settled', denied('settled'), {}, undefined, undefined],
    ['after a random part of 16 ms, for a split vote', SPLIT, {}, 0, 16],
    ['after a random part of 64 ms, for a vote that is split a third time', SPLIT, { contested: 2 }, 0, 64],
    [
      'after a random part of 256 ms at most, for a vote that is split again and again',
      SPLIT,
      { contested: 9 },
      0,
      256,
    ],
    ['as long as splits have lasted less than ten times nodeTimeout', SPLIT, { elapsed: 4999 }, 0, 16],
    ['never, when splits have lasted that long', SPLIT, { elapsed: 5000 }, undefined, undefined],
    [
      'when splits have lasted that long and lock() waits longer',
      SPLIT,
      { elapsed: 5000, waitLimit: 6000 },
      0,
      16,
    ],
    ['after 50 to 100 ms, for the first loser at the lead node', byLead(1), {}, 50, 100],
    ['after 50 to 100 ms, for the second one', byLead(2), {}, 50, 100],
    ['never, for the third one', byLead(3), {}, undefined, undefined],
    ['after 50 to 100 ms, for a loser that nobody counts', byLead(), {}, 50, 100],
    ['after 25 to 75 ms, for a tick that finds an earlier run in progress', denied('overlap'), {}, 25, 75],
    ['as long as it has waited less than 250 ms for that run', denied('overlap'), { elapsed: 249 }, 25, 75],
    ['never, when it has waited that long', denied('overlap'), { elapsed: 250 }, undefined, undefined],
    [
      'as long as it has waited less than four times a slow attempt more',
      denied('overlap'),
      { elapsed: 2249, took: 500 },
      25,
      75,
    ],
    [
      'never, when it has waited that long too',
      denied('overlap'),
      { elapsed: 2250, took: 500 },
      undefined,
      undefined,
    ],
    [
      'never then, for a tick with `recover`: the takeover of the dead run comes first',
      denied('overlap'),
      { elapsed: 250, took: 500, recovers: true },
      undefined,
      undefined,
    ],
    ['never, for the third tick that waits for that run', denied('overlap', 3), {}, undefined, undefined],
    [
      'never, for a plain call that finds a run in progress',
      denied('overlap'),
      { isTick: false },
      undefined,
      undefined,
    ],
    ['after 25 to 75 ms, for a tick that is buffered', denied('overlap'), { bufferLeft: 9000 }, 25, 75],
    ['the same, for the second loser at the lead node', overlapByLead(2), { bufferLeft: 9000 }, 25, 75],
    [
      'after a part of how long a buffered tick has waited',
      denied('overlap'),
      { total: 4000, bufferLeft: 9000 },
      250,
      750,
    ],
    [
      'after 500 to 1500 ms at most, for a buffered tick',
      denied('overlap'),
      { total: 3_600_000, bufferLeft: 9000 },
      500,
      1500,
    ],
    [
      'when the time of a buffered tick is over, for the last time',
      denied('overlap'),
      { total: 8960, bufferLeft: 40 },
      40,
      40,
    ],
    ['never, when that time is over', denied('overlap'), { bufferLeft: 0 }, undefined, undefined],
    [
      'never, for the third tick that is buffered',
      denied('overlap', 3),
      { bufferLeft: 9 },
      undefined,
      undefined,
    ],
    [
      'after 25 to 75 ms, for the eighth one, if its first attempt got no answer',
      denied('overlap', 8),
      { bufferLeft: 9000, attempt: 1 },
      25,
      75,
    ],
    [
      'never, for the ninth one then',
      denied('overlap', 9),
      { bufferLeft: 9, attempt: 1 },
      undefined,
      undefined,
    ],
    ['nor for the third one at the lead node', overlapByLead(3), { bufferLeft: 9 }, undefined, undefined],
    [
      'never, for a buffered tick that is run elsewhere',
      denied('elsewhere'),
      { bufferLeft: 9000 },
      undefined,
      undefined,
    ],
    ['after 25 ms, for a buffered tick without a quorum', DOWN, { bufferLeft: 9000 }, 25, 25],
    [
      'after 50 to 150 ms, for lock() with a wait',
      denied('overlap'),
      { isTick: false, waitLimit: 9000 },
      50,
      150,
    ],
    [
      'exactly when that wait ends',
      denied('overlap'),
      { isTick: false, waitLimit: 9000, elapsed: 8990 },
      10,
      10,
    ],
    ['after 25 ms, without a quorum', DOWN, {}, 25, 25],
    ['after 25 ms, up to half of nodeTimeout', DOWN, { elapsed: 249 }, 25, 25],
    ['never, after half of nodeTimeout without a quorum', DOWN, { elapsed: 250 }, undefined, undefined],
    ['longer if an attempt failed when connections were replaced', DOWN, { elapsed: 699, took: 300 }, 25, 25],
    ['never, after that', DOWN, { elapsed: 700, took: 300 }, undefined, undefined],
    ['up to twice nodeTimeout if nodes were silent', DOWN, { elapsed: 999, took: 500 }, 25, 25],
    ['never, after twice nodeTimeout', DOWN, { elapsed: 1000, took: 500 }, undefined, undefined],
    [
      'not longer if an attempt waited for a connection, too',
      DOWN,
      { elapsed: 1000, took: 900 },
      undefined,
      undefined,
    ],
    ['after 50 to 150 ms, where the nodes are overloaded', OVERLOAD, {}, 50, 150],
    ['however long that has lasted', OVERLOAD, { elapsed: 3_600_000, took: 500 }, 50, 150],
    ['never, once the next tick is due', OVERLOAD, { isOutOfTime: true }, undefined, undefined],
    ['when the tick is due by the clocks of the nodes', early(120), {}, 120, 120],
    ['after five seconds at most, for a tick that is due later', early(3_600_000), {}, 5000, 5000],
    ['as long as it has waited less than 30 s for that', early(120), { waitedUntilDue: 29_999 }, 120, 120],
    ['never, when it has waited that long', early(120), { waitedUntilDue: 30_000 }, undefined, undefined],
  ])('%s', (_when, result, progress, least, most) => {
    expect([delayAfter(result, progress, 0), delayAfter(result, progress, 1)]).toEqual([least, most]);
  });
});

describe('a claim that is given up', () => {
  it.each<[string, Denial | Undecided, SkipReason]>([
    ['after a denial is denied for its reason', denied('overlap'), 'overlap'],
    ['after a denial by the lead node is denied for its reason', byLead(5), 'elsewhere'],
    ['before the tick is due is early', early(10), 'early'],
    ['after a split vote is run elsewhere', SPLIT, 'elsewhere'],
  ])('%s', (_when, result, reason) => {
    expect(givenUp(result).reason).toBe(reason);
  });

  it('after a split vote has found another run, if it is for no tick and no interval', () => {
    expect(givenUp(SPLIT, false).reason).toBe('overlap');
  });
});
