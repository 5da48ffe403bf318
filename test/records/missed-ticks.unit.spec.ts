import { CronTime } from 'cron';
import { describe, expect, it, vi } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { groupedByCause, ticksBetween } from '../../src/records/missed-ticks.js';
import type { RunRecord } from '../../src/records/run-record.js';
import { SkippedTicks } from '../../src/records/skipped-ticks.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';

const MINUTE = 60_000;
/** The tick of a minute, by its number. */
const at = (minute: number): number => Date.UTC(2031, 4, 7, 9, minute);

function record(minute: number, changes: Partial<RunRecord> = {}): RunRecord {
  return {
    runId: `run ${minute}`,
    tick: new Date(at(minute)),
    instanceId: 'a',
    startedAt: new Date(at(minute) + 5),
    duration: 100,
    outcome: 'finished',
    error: null,
    trigger: 'schedule',
    package: '1.0.0',
    schedule: null,
    ...changes,
  };
}

function token(minute: number): string {
  const run = {
    runId: `run ${minute}`,
    trigger: 'schedule' as const,
    calledAt: at(minute) + 5,
    tick: at(minute),
  };
  return tokensOf('a')(describeRun(run));
}

function causes(
  minutes: readonly number[],
  evidence: Partial<Parameters<typeof groupedByCause>[1]>,
): string[] {
  const none = { skipped: new SkippedTicks(), records: [], paused: undefined, ignored: [] };
  const all = { ...none, ...evidence };
  return groupedByCause(minutes.map(at), all).map(
    ({ from, to, count, cause }) => `${cause} ${(from - at(0)) / MINUTE}-${(to - at(0)) / MINUTE} ${count}`,
  );
}

describe('a missed tick', () => {
  it('has the cause that this instance saw, and ticks with one cause in a row are one', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(1), 'store-down');
    skipped.add(at(2), 'store-down');
    skipped.add(at(3), 'paused');
    skipped.add(at(4), 'overload');
    expect(causes([1, 2, 3, 4, 5], { skipped })).toEqual([
      'store-down 1-2 2',
      'paused 3-3 1',
      'overload 4-4 1',
      'unknown 5-5 1',
    ]);
  });

  it('has the cause that was seen last', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(1), 'overload');
    skipped.add(at(2), 'store-down');
    skipped.add(at(2), 'overload');
    skipped.add(at(3), 'overload');
    skipped.add(at(3), 'store-down');
    expect(causes([1, 2, 3], { skipped })).toEqual(['overload 1-2 2', 'store-down 3-3 1']);
  });

  it('keeps its cause if the claim of an earlier tick is decided after its own', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(2), 'paused');
    skipped.add(at(1), 'overload');
    skipped.add(at(3), 'overload');
    expect(causes([1, 2, 3], { skipped })).toEqual(['overload 1-1 1', 'paused 2-2 1', 'overload 3-3 1']);
  });

  it('is not one with a tick beyond one that ran', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(1), 'overlap');
    skipped.add(at(2), 'unguarded');
    skipped.add(at(3), 'overlap');
    expect(causes([1, 2, 3], { skipped })).toEqual(['overlap 1-1 1', 'overlap 3-3 1']);
    skipped.add(at(4), 'elsewhere');
    skipped.add(at(5), 'overlap');
    const ignored = ['unknown'] as const;
    expect(causes([3, 4, 5], { skipped, ignored })).toEqual(['overlap 3-3 1', 'overlap 5-5 1']);
  });

  it('is an overlap if a recorded run was in progress, although this instance did not see it', () => {
    const records = [record(0, { duration: 2.5 * MINUTE })];
    expect(causes([1, 2, 3], { records })).toEqual(['overlap 1-2 2', 'unknown 3-3 1']);
  });

  it('died with its run, and so did the ticks that found the lock of that run', () => {
    const died = record(1, { outcome: 'died', duration: null });
    const skipped = new SkippedTicks();
    skipped.add(at(2), 'overlap', token(1));
    skipped.add(at(3), 'overlap', token(0));
    expect(causes([1, 2, 3], { skipped, records: [died] })).toEqual(['died 1-2 2', 'overlap 3-3 1']);
  });

  it('is an overlap with a run that has ended', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(1), 'overlap', token(0));
    const records = [record(0, { duration: 1.5 * MINUTE })];
    expect(causes([1], { skipped, records })).toEqual(['overlap 1-1 1']);
  });

  it('was paused if it is within the last pause, unless this instance knows better', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(2), 'overlap');
    skipped.add(at(3), 'elsewhere');
    const paused = { from: at(1), to: at(4) + 1 };
    expect(causes([1, 2, 3, 4, 5], { skipped, paused })).toEqual([
      'paused 1-1 1',
      'overlap 2-2 1',
      'unknown 3-3 1',
      'paused 4-4 1',
      'unknown 5-5 1',
    ]);
  });

  it('was paused, too, if no quorum could say so', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(1), 'store-down');
    skipped.add(at(2), 'overload');
    skipped.add(at(3), 'store-down');
    const paused = { from: at(1), to: at(2) + 1 };
    expect(causes([1, 2, 3], { skipped, paused })).toEqual(['paused 1-2 2', 'store-down 3-3 1']);
  });

  it('has not been missed if this instance ran it without a quorum', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(1), 'unguarded');
    skipped.add(at(2), 'store-down');
    expect(causes([1, 2], { skipped })).toEqual(['store-down 2-2 1']);
  });

  it('is left out if its cause says nothing about the job', () => {
    const skipped = new SkippedTicks();
    skipped.add(at(2), 'paused');
    expect(causes([1, 2, 3], { skipped, ignored: ['unknown'] })).toEqual(['paused 2-2 1']);
  });
});

const between = (expression: string, last: number, tick: number): Promise<number[]> =>
  ticksBetween(new CronTicks(new CronTime(expression, 'UTC')), last, tick, new ManualClock());

describe('the ticks between two ticks', () => {
  it('are all of them, oldest first', async () => {
    expect(await between('0 * * * * *', at(0), at(4))).toEqual([1, 2, 3].map(at));
    expect(await between('0 * * * * *', at(0), at(1))).toEqual([]);
  });

  it('are the newest 1,000 at most', async () => {
    const ticks = new CronTicks(new CronTime('* * * * * *', 'UTC'));
    // To find them would take a second.
    vi.spyOn(ticks, 'timeBefore').mockImplementation((tick) => tick - 1000);
    const missed = await ticksBetween(ticks, at(0), at(0) + 3_000_000, new ManualClock());
    expect(missed).toHaveLength(1000);
    expect(missed[0]).toBe(at(0) + 2_000_000);
    expect(missed.at(-1)).toBe(at(0) + 2_999_000);
  });

  it('are found in an uneven schedule, too', async () => {
    // Each minute of one hour a day.
    const [monday, tuesday] = [Date.UTC(2031, 4, 5, 9, 57), Date.UTC(2031, 4, 6, 9, 2)];
    const missed = await between('0 * 9 * * *', monday, tuesday);
    expect(missed).toEqual([
      Date.UTC(2031, 4, 5, 9, 58),
      Date.UTC(2031, 4, 5, 9, 59),
      Date.UTC(2031, 4, 6, 9, 0),
      Date.UTC(2031, 4, 6, 9, 1),
    ]);
  });
});
