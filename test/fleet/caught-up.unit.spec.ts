import { describe, expect, it } from 'vitest';
import type { Conditions, InstanceLife, JobRule, NodeFault } from './conditions.js';
import type { History, Run, Skip } from './history.js';
import { judge, type Verdict } from './judge.js';
import {
  call,
  called,
  conditions,
  findingsIn,
  historyOf,
  killed,
  life,
  order,
  REPORT,
  run,
  unfinished,
  without,
} from './written-history.js';

const RARE: JobRule = { ...REPORT, period: 5000, catchesUp: true };
const ALL = [5000, 10_000, 15_000, 20_000, 25_000, 30_000, 35_000];

function rareRuns(): Run[] {
  return ALL.map((tick) => run(tick, 'b', tick + 5));
}

function caughtUp(tick: number, start: number, rest: Partial<Run> = {}): Run {
  return run(tick, 'c', start, { trigger: 'catch-up', ...rest });
}

/** The fleet is gone when the tick of 15_000 is due, and `ahead` is the clock of the only one that is back. */
function stopped(back: number, ahead = 0): InstanceLife[] {
  return [killed('b', 12_000), life('c', { up: { from: back, until: Infinity } }, ahead)];
}

/** A majority of the nodes is out when the tick of 15_000 is due. */
function outage(until: number): NodeFault[] {
  return [0, 1, 2].map((node) => ({ node, from: 14_000, until }));
}

/** An instance knows that it could not run the tick of 15_000. */
function skipped(at = 15_250): Skip {
  return { job: 'report', tick: 15_000, instance: 'c', at, reason: 'store-down' };
}

function verdictOn(runs: readonly Run[], under: Partial<Conditions>, more: Partial<History> = {}): Verdict {
  return judge(historyOf(runs, more), conditions(RARE, under));
}

function manual(start: number, end: number): Run {
  return run(null, 'b', start, { end, trigger: 'manual', order: 'trigger 1' });
}

/** Whether the tick of 15_000, which nobody ran, had to be made up for. */
function isOwed(
  under: Partial<Conditions>,
  more: Partial<History> = {},
  others: readonly Run[] = [],
): boolean {
  const runs = [...without(rareRuns(), 15_000), ...others];
  const { violations } = verdictOn(runs, under, more);
  return violations.some(({ kind }) => kind === 'not caught up');
}

describe('a tick that is made up for', () => {
  const rest = without(rareRuns(), 15_000);

  it('is accepted, and counts as owed', () => {
    const verdict = verdictOn([...rest, caughtUp(15_000, 16_400)], { instances: stopped(16_500) });
    expect(verdict).toMatchObject({ violations: [], catchUps: 1 });
  });

  it('is a duplicate if it runs twice', () => {
    const twice = [...rest, caughtUp(15_000, 16_400), caughtUp(15_000, 16_600)];
    expect(findingsIn(twice, conditions(RARE), {})).toContain('duplicate');
    expect(findingsIn([...rareRuns(), caughtUp(15_000, 17_000)], conditions(RARE), {})).toEqual([
      'duplicate',
    ]);
  });

  it('is out of order after a newer one', () => {
    expect(findingsIn([...rest, caughtUp(15_000, 21_000)], conditions(RARE), {})).toContain('order');
  });

  it('must not be the first run of the job, nor of a job that makes up for nothing', () => {
    const first = [caughtUp(15_000, 16_400), ...rareRuns().filter(({ start }) => start > 16_000)];
    expect(findingsIn(first, conditions(RARE, { instances: stopped(16_500) }), {})).toContain(
      'wrongly caught up',
    );
    const never = conditions({ ...RARE, catchesUp: false });
    expect(findingsIn([...rest, caughtUp(15_000, 16_400)], never, {})).toContain('wrongly caught up');
  });
});

describe('a tick that was missed', () => {
  describe('because the whole fleet was stopped', () => {
    it('is owed by an instance that starts', () => {
      expect(isOwed({ instances: stopped(16_500) })).toBe(true);
    });

    it('is owed for a limited time', () => {
      const late = caughtUp(15_000, 19_200);
      expect(isOwed({ instances: stopped(16_500) }, {}, [late])).toBe(true);
      expect(isOwed({ instances: stopped(16_500) }, {}, [caughtUp(15_000, 18_900)])).toBe(false);
    });

    it('is not owed by an instance that dies, is suspended, or is on its way when the next one is due', () => {
      const [gone = life('b'), back = life('c')] = stopped(16_500);
      expect(
        isOwed({ instances: [gone, { ...back, up: { from: 16_500, until: 18_000 }, goneAt: 18_000 }] }),
      ).toBe(false);
      expect(isOwed({ instances: [gone, { ...back, pauses: [{ from: 17_000, until: 17_200 }] }] })).toBe(
        false,
      );
      expect(isOwed({ instances: stopped(18_500) })).toBe(false);
    });

    it('is owed only if it is the latest one by the clock of that instance', () => {
      expect(isOwed({ instances: stopped(16_500, 500) })).toBe(true);
      expect(isOwed({ instances: stopped(16_500, 2500) })).toBe(false);
      expect(isOwed({ instances: stopped(16_500, -2500) })).toBe(false);
    });

    it('is not owed without a quorum', () => {
      const nodeFaults = [0, 1, 2].map((node) => ({ node, from: 17_000, until: 17_100 }));
      expect(isOwed({ instances: stopped(16_500), nodeFaults })).toBe(false);
      expect(isOwed({ instances: stopped(16_500), nodeFaults: nodeFaults.slice(1) })).toBe(true);
    });

    it('is not owed if the job has never run, or a newer tick has', () => {
      const first = without(rareRuns(), 5000, 10_000, 15_000);
      const under = conditions(RARE, { instances: stopped(16_500) });
      expect(findingsIn(first, under, {})).not.toContain('not caught up');
      expect(
        isOwed(
          { instances: stopped(16_500) },
          {},
          [run(20_000, 'd', 18_000)].map((each) => ({ ...each, instance: 'c' })),
        ),
      ).toBe(false);
    });

    it('is not owed if another run was in progress when it was due, or is now', () => {
      expect(
        isOwed({ instances: [life('b'), ...stopped(16_500).slice(1)] }, {}, [manual(14_900, 15_200)]),
      ).toBe(false);
      expect(
        isOwed({ instances: [life('b'), ...stopped(16_500).slice(1)] }, {}, [manual(16_000, 19_200)]),
      ).toBe(false);
      expect(
        isOwed({ instances: [life('b'), ...stopped(16_500).slice(1)] }, {}, [manual(12_000, 12_200)]),
      ).toBe(true);
    });

    it('is not owed if somebody died who can have claimed it, or can hold the lock', () => {
      const [, back = life('c')] = stopped(16_500);
      const claimed = { calls: [call(15_000, 'b', 15_002)] };
      expect(isOwed({ instances: [killed('b', 15_010), back] }, claimed)).toBe(false);
      expect(isOwed({ instances: [killed('b', 12_000), back] })).toBe(true);
      expect(isOwed({ instances: [killed('b', 14_000), back] })).toBe(false);
    });
  });

  describe('because the nodes were out of reach', () => {
    const instances = [killed('b', 9000), life('c')];

    it('is owed by an instance that knows, once they are back', () => {
      expect(isOwed({ instances, nodeFaults: outage(17_300) }, { skips: [skipped()] })).toBe(true);
      expect(isOwed({ instances, nodeFaults: outage(17_300) })).toBe(false);
    });

    it('is not owed while they may have been back before it was due', () => {
      expect(isOwed({ instances, nodeFaults: outage(15_900) }, { skips: [skipped(14_500)] })).toBe(false);
    });

    it('is not owed by an instance that was suspended or started meanwhile', () => {
      const suspended = [life('c', { pauses: [{ from: 15_500, until: 15_600 }] })];
      expect(
        isOwed(
          { instances: [killed('b', 9000), ...suspended], nodeFaults: outage(17_300) },
          { skips: [skipped()] },
        ),
      ).toBe(false);
    });
  });

  describe('because the job was paused', () => {
    const instances = [killed('b', 9000), life('c')];
    const paused = order('pause', 13_000, { instance: 'c' });

    it('is owed by the instance that resumes it', () => {
      const resumed = order('resume', 16_500, { instance: 'c' });
      expect(isOwed({ instances }, { operations: [paused, resumed] })).toBe(true);
      expect(isOwed({ instances }, { operations: [paused, { ...resumed, outcome: 'failed' }] })).toBe(false);
      expect(
        isOwed(
          { instances },
          {
            operations: [paused, resumed, order('pause', 17_000)].map((each) => ({ ...each, instance: 'c' })),
          },
        ),
      ).toBe(false);
      expect(isOwed({ instances }, { operations: [paused] })).toBe(false);
    });

    it('is owed when the pause ends by itself, by the instance that asked for it', () => {
      const bounded = order('pause', 13_000, { instance: 'c', for: 3500 });
      expect(isOwed({ instances }, { operations: [bounded] })).toBe(true);
      expect(isOwed({ instances: [killed('b', 9000), life('c', {}, 300)] }, { operations: [bounded] })).toBe(
        false,
      );
      expect(isOwed({ instances: [killed('b', 9000), life('c', {}, -300)] }, { operations: [bounded] })).toBe(
        true,
      );
    });
  });

  it('is not owed where the job makes up for nothing', () => {
    const rest = without(rareRuns(), 15_000);
    const under = conditions({ ...RARE, catchesUp: false }, { instances: stopped(16_500) });
    expect(findingsIn(rest, under, {})).toEqual([]);
  });

  it('is no excuse for the ones after it, but while a killed instance may be making up for it', () => {
    const instances = [
      killed('b', 13_000),
      killed('c', 18_500),
      life('a', { up: { from: 18_600, until: Infinity } }),
    ];
    const rest = without(rareRuns(), 15_000, 20_000).map((each) => ({
      ...each,
      instance: each.start < 13_000 ? 'b' : 'a',
    }));
    expect(findingsIn(rest, conditions(RARE, { instances }), {})).toEqual([]);
    const before = [
      killed('b', 13_000),
      killed('c', 16_500),
      life('a', { up: { from: 18_600, until: Infinity } }),
    ];
    expect(findingsIn(rest, conditions(RARE, { instances: before }), {})).toEqual(['missed']);
  });
});

describe('a run that makes up for a tick', () => {
  it('holds the lock before it is called', () => {
    const instances = [life('a', { pauses: [{ from: 15_500, until: 18_000 }] }), life('b')];
    const late = called(18_100, caughtUp(15_000, 18_110, { instance: 'a' }));
    const calls = [call(15_000, 'a', 18_100, 18_150)];
    const operations = [order('pause', 15_600, { instance: 'b' })];
    const runs = [...rareRuns().filter(({ start }) => start < 15_000), late];
    const under = conditions(RARE, { instances, window: { from: 10_000, until: 19_000 } });
    expect(findingsIn(runs, under, { operations, calls })).toEqual([]);
  });

  it('is excused by nothing else', () => {
    const operations = [order('pause', 12_600, { instance: 'b' })];
    const runs = [...rareRuns().filter(({ start }) => start < 15_000), caughtUp(15_000, 18_110)];
    const under = conditions(RARE, { window: { from: 10_000, until: 19_000 } });
    expect(findingsIn(runs, under, { operations })).toEqual(['pause lost']);
    expect(findingsIn([...runs.slice(0, -1), unfinished(10_000, 'b', 10_006)], under, {})).toContain(
      'duplicate',
    );
  });
});
