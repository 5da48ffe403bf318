import { describe, expect, it } from 'vitest';
import type { Conditions, InstanceLife } from './conditions.js';
import type { History } from './history.js';
import { judge, type Verdict } from './judge.js';
import {
  REPORT,
  CLEANING,
  call,
  called,
  cleanRuns,
  conditions,
  cutOff,
  findings,
  findingsIn,
  forgotten,
  historyOf,
  killed,
  life,
  out,
  recovering,
  run,
  suspended,
  unfinished,
  without,
  withRecover,
} from './written-history.js';

const NOTHING: Verdict = {
  ticks: 0,
  owed: 0,
  unrun: 0,
  runs: 0,
  paused: 0,
  catchUps: 0,
  reports: 0,
  violations: [],
};

/** An instance that recovers, and starts late. */
function lateHeir(ready: number, ahead = 0): InstanceLife {
  return withRecover(life('b', { up: { from: ready, until: Infinity } }, ahead));
}

/** Whether an instance must run the tick of 15_000 again, whose run died 10 ms after it had started. */
function isOwed(heir: InstanceLife, { ttl = REPORT.ttl, start = 15_005 } = {}): boolean {
  const dead = withRecover(killed('a', start + 10));
  const window = { from: 15_000, until: start + ttl + 2000 };
  const under = conditions({ ...REPORT, ttl }, { instances: [dead, heir], window });
  return findings([unfinished(15_000, 'a', start)], under).includes('not recovered');
}

/** All nodes are out for a while, and the instance `a` is suspended at a moment. */
function suspendedIn(cut: number, later: Conditions['nodeFaults'] = []): Conditions {
  return conditions(REPORT, {
    instances: [life('a', { pauses: [{ from: cut, until: 25_000 }] }), life('b'), life('c')],
    nodeFaults: [...out(0, 1, 2, 3, 4), ...later],
  });
}

describe('a clean history', () => {
  it('is accepted, and each of its ticks was owed', () => {
    const verdict = judge(historyOf(cleanRuns()), conditions(REPORT));
    expect(verdict).toEqual({ ...NOTHING, ticks: 20, owed: 20, runs: 30 });
  });

  it('is accepted when runs are longer than the period', () => {
    const runs = [5000, 7000, 9000].flatMap((first) =>
      [0, 6000, 12_000, 18_000, 24_000].map((more) =>
        run(first + more, 'a', first + more + 5, { end: first + more + 1705 }),
      ),
    );
    expect(findings(runs, conditions(REPORT))).toEqual([]);
  });

  it('is accepted when an instance whose clock is ahead claims as early as it may', () => {
    const ahead = { instances: [life('a', {}, 2500), life('b')] };
    const runs = cleanRuns(['a']).map((each) => ({
      ...each,
      start: (each.tick ?? 0) - 495,
      end: (each.tick ?? 0) - 465,
    }));
    expect(findings(runs, conditions(REPORT, ahead))).toEqual([]);
  });
});

describe('a tick that is started twice', () => {
  it('is a duplicate', () => {
    expect(findings([...cleanRuns(), run(15_000, 'b', 15_300)], conditions(REPORT))).toEqual(['duplicate']);
  });

  it('is one long afterwards, too', () => {
    const late = run(15_000, 'c', 17_500);
    expect(findings([...cleanRuns(), late], conditions(REPORT))).toEqual(['duplicate', 'order']);
  });

  it('is a duplicate even of a run that died, where the job does not recover', () => {
    const instances = [killed('a', 15_015), life('b'), life('c')];
    const runs = [
      ...without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000),
      unfinished(15_000, 'a', 15_005),
    ];
    expect(findings(runs, conditions(REPORT, { instances }))).toEqual([]);
    const again = [...runs, run(15_000, 'b', 18_200)];
    expect(findings(again, conditions(REPORT, { instances }))).toEqual(['duplicate']);
  });

  it('is none when the first one died, and the job recovers', () => {
    const instances = [killed('a', 15_015), life('b'), life('c')];
    const runs = [
      ...without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000),
      unfinished(15_000, 'a', 15_005),
      run(15_000, 'b', 18_200),
    ];
    expect(findings(runs, recovering({ instances }))).toEqual([]);
  });

  it('is a duplicate where the job recovers, but the first one lived', () => {
    expect(findings([...cleanRuns(), run(15_000, 'b', 15_500)], recovering({}))).toEqual(['duplicate']);
  });

  describe('where only some instances have `recover`', () => {
    const [dead, heir, other] = [killed('a', 15_015), life('b'), life('c')];
    const runs = [
      ...without(cleanRuns(['c']), 15_000, 16_000, 17_000, 18_000),
      unfinished(15_000, 'a', 15_005),
      run(15_000, 'b', 18_200),
    ];

    it('is none where both runs were claimed with it', () => {
      const instances = [withRecover(dead), withRecover(heir), other];
      expect(findings(runs, conditions(REPORT, { instances }))).toEqual([]);
    });

    it('is a duplicate where the first one was claimed without it', () => {
      const instances = [dead, withRecover(heir), withRecover(other)];
      expect(findings(runs, conditions(REPORT, { instances }))).toEqual(['duplicate']);
    });

    it('is a duplicate where the second one was claimed without it', () => {
      const instances = [withRecover(dead), heir, other];
      expect(findings(runs, conditions(REPORT, { instances }))).toEqual(['duplicate']);
    });
  });

  it('is none when the first one was shut down in the middle of its run, and the job recovers', () => {
    const instances = [life('a', { up: { from: 0, until: 15_100 }, goneAt: 15_500 }), life('b'), life('c')];
    const runs = [
      ...without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000),
      cutOff(15_000, 'a', 15_005, 15_400),
      run(15_000, 'b', 18_200),
    ];
    expect(findings(runs, recovering({ instances }))).toEqual([]);
    expect(findings(runs, conditions(REPORT, { instances }))).toContain('duplicate');
  });

  it('is none when the first one was suspended past its lease, and settles too late', () => {
    const runs = [
      ...without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000),
      run(15_000, 'a', 15_005, { end: 20_010 }),
      run(15_000, 'b', 18_200),
    ];
    expect(findings(runs, recovering(suspended(20_000)))).toEqual([]);
  });

  it('is a duplicate and an overlap where the first one still runs', () => {
    const instances = [killed('a', 15_500), life('b'), life('c')];
    const runs = [
      ...without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000),
      unfinished(15_000, 'a', 15_005),
      run(15_000, 'b', 15_200),
      run(18_000, 'b', 18_600),
    ];
    expect(findings(runs, recovering({ instances }))).toEqual(['duplicate', 'overlap']);
  });
});

describe('two runs at once', () => {
  const long = run(15_000, 'a', 15_005, { end: 16_700 });
  const runs = without(cleanRuns(), 15_000, 16_000);

  it('are an overlap', () => {
    expect(findings([...runs, long, run(16_000, 'b', 16_005)], conditions(REPORT))).toEqual(['overlap']);
  });

  it('are none once the signal of the first one has aborted', () => {
    const aborted = { ...long, aborted: 15_900 };
    expect(findings([...runs, aborted, run(16_000, 'b', 16_005)], conditions(REPORT))).toEqual([]);
  });

  it('are an overlap up to the abort', () => {
    const aborted = { ...long, aborted: 16_010 };
    expect(findings([...runs, aborted, run(16_000, 'b', 16_005)], conditions(REPORT))).toEqual(['overlap']);
  });

  describe('while the first one is suspended', () => {
    const first = run(15_000, 'a', 15_005, { end: 20_300 });
    const rest = without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000);

    it('are none past its lease, if it notices at once when it goes on', () => {
      expect(findings([...rest, first], conditions(REPORT, suspended(20_000)))).toEqual([]);
    });

    it('are an overlap if it goes on with its work', () => {
      const [overlap] = findings([...rest, { ...first, end: 24_000 }], conditions(REPORT, suspended(20_000)));
      expect(overlap).toBe('overlap');
    });

    it('are an overlap within its lease', () => {
      const early = run(16_000, 'b', 16_005);
      const found = findings(
        [...rest, early, { ...first, end: 16_310 }],
        conditions(REPORT, suspended(16_100)),
      );
      expect(found).toContain('overlap');
    });
  });
});

describe('a tick that nobody ran', () => {
  const runs = without(cleanRuns(), 15_000);

  it('is missed', () => {
    expect(findings(runs, conditions(REPORT))).toEqual(['missed']);
  });

  it('is missed if only one instance could have run it', () => {
    const instances = [
      killed('a', 8000),
      life('b', { pauses: [{ from: 14_000, until: 17_000 }] }),
      life('c'),
    ];
    const others = without(cleanRuns(['c']), 15_000);
    expect(findings(others, conditions(REPORT, { instances }))).toEqual(['missed']);
    const nobody = instances.slice(0, 2);
    expect(
      judge(
        historyOf([]),
        conditions(REPORT, { instances: nobody, window: { from: 15_000, until: 16_000 } }),
      ),
    ).toEqual({ ...NOTHING, ticks: 1, unrun: 1 });
  });

  it('is missed with a minority of the nodes out, and excused with a majority', () => {
    expect(findings(runs, conditions(REPORT, { nodeFaults: out(0, 1) }))).toEqual(['missed']);
    expect(findings(runs, conditions(REPORT, { nodeFaults: out(0, 1, 2) }))).toEqual([]);
  });

  it('is excused if a majority fails while a crowd may hold its claim up, and missed otherwise', () => {
    const nodeFaults = [0, 1, 2].map((node) => ({ node, from: 17_000, until: 17_500 }));
    const crowds = [{ from: 14_500, until: 18_500 }];
    expect(findings(runs, conditions(REPORT, { nodeFaults }))).toEqual(['missed']);
    expect(findings(runs, conditions(REPORT, { crowds }))).toEqual(['missed']);
    expect(findings(runs, conditions(REPORT, { nodeFaults, crowds }))).toEqual([]);
  });

  it('is excused if a majority must be connected to again while a crowd may hold its claim up', () => {
    const crowds = [{ from: 14_500, until: 18_500 }];
    const under = (...nodes: number[]): Conditions =>
      conditions(REPORT, { crowds, forgotten: forgotten(15_800, ...nodes) });
    expect(findings(runs, under(0, 1))).toEqual(['missed']);
    expect(findings(runs, under(0, 1, 2))).toEqual([]);
  });

  it('is excused while a run is in progress, and missed once it is over', () => {
    const rest = without(runs, 14_000);
    expect(findings([...rest, run(14_000, 'a', 14_005, { end: 15_200 })], conditions(REPORT))).toEqual([]);
    expect(findings([...rest, run(14_000, 'a', 14_005, { end: 14_600 })], conditions(REPORT))).toEqual([
      'missed',
    ]);
  });

  it('is excused while a run is in progress to whose tick its instance has come a second time', () => {
    const long = called(13_990, run(14_000, 'a', 14_005, { end: 15_200 }));
    const calls = [call(14_000, 'a', 13_990, 15_210), call(14_000, 'a', 14_003, 14_300)];
    expect(findings([...without(runs, 14_000), long], conditions(REPORT), calls)).toEqual([]);
  });

  it('is excused if its call came a little late, and met a claim that died, and missed otherwise', () => {
    const instances = [
      killed('a', 15_600),
      life('b', { up: { from: 0, until: 13_900 } }),
      life('c', {}, -400),
    ];
    const lost = call(16_000, 'a', 15_450);
    const rest = without(cleanRuns(['c']), 16_000, 17_000, 18_000);
    const under = conditions(REPORT, { instances });
    const behind = rest.map((each) => ({
      ...each,
      start: (each.tick ?? 0) + 405,
      end: (each.tick ?? 0) + 435,
    }));
    const missing = without(behind, 15_000);
    const calledAt = (at: number): string[] =>
      findings(missing, under, [call(15_000, 'c', at, at + 900), lost]);
    expect(calledAt(15_440)).toEqual([]);
    expect(calledAt(15_401)).toEqual([]);
    expect(calledAt(15_390)).toEqual(['missed']);
  });

  it('is excused for one lease after a run that died, and missed afterwards', () => {
    const instances = [killed('a', 14_015), life('b'), life('c')];
    const died = [...without(cleanRuns(['b', 'c']), 14_000), unfinished(14_000, 'a', 14_005)];
    expect(findings(without(died, 15_000, 16_000, 17_000), conditions(REPORT, { instances }))).toEqual([]);
    expect(findings(without(died, 18_000), conditions(REPORT, { instances }))).toEqual(['missed']);
  });

  it('is excused for another second after a run that died with `recover`', () => {
    const instances = [withRecover(killed('a', 14_015)), life('b'), life('c')];
    const died = [...without(cleanRuns(['b', 'c']), 14_000), unfinished(14_000, 'a', 14_005)];
    const behind = without(died, 15_000, 16_000, 17_000, 18_000);
    expect(findings(behind, conditions(REPORT, { instances }))).toEqual([]);
    expect(findings(without(behind, 19_000), conditions(REPORT, { instances }))).toEqual(['missed']);
  });

  it('is missed after a run that lost its lock, and excused after one that was left to others', () => {
    const rest = without(runs, 14_000);
    const aborted = { aborted: 14_300, end: 14_302 };
    const lost = called(14_002, run(14_000, 'a', 14_005, { ...aborted, abortReason: 'LockLostError' }));
    const calls = [call(14_000, 'a', 14_002, 14_310)];
    const instances = [withRecover(life('a')), life('b'), life('c')];
    expect(findings([...rest, lost], conditions(REPORT, { instances }), calls)).toEqual(['missed']);
    const left = { ...lost, abortReason: 'ShutdownError' };
    expect(findings([...rest, left], conditions(REPORT, { instances }), calls)).toEqual([]);
    expect(findings([...rest, left], conditions(REPORT), calls)).toEqual(['missed']);
  });

  it('is missed by an instance whose clock is behind, too, when that comes to it', () => {
    const instances = [life('a', { up: { from: 0, until: 14_900 }, goneAt: 14_950 }), life('b', {}, -2500)];
    const rest = cleanRuns(['b']).map((each) => ({
      ...each,
      start: (each.tick ?? 0) + 2505,
      end: (each.tick ?? 0) + 2535,
    }));
    expect(findings(without(rest, 15_000), conditions(REPORT, { instances }))).toEqual(['missed']);
  });

  it('is excused where it came too late, as a newer one had been run', () => {
    const instances = [life('b', {}, -2500), life('c', { up: { from: 16_500, until: Infinity } })];
    const lagging = cleanRuns(['b'], 5000, 14_000).map((each) => ({
      ...each,
      start: (each.tick ?? 0) + 2505,
      end: (each.tick ?? 0) + 2535,
    }));
    const leading = cleanRuns(['c'], 18_000);
    expect(
      findings(
        [...lagging, run(14_000, 'b', 16_505), run(15_000, 'b', 17_505), ...leading],
        conditions(REPORT, { instances }),
      ),
    ).toEqual([]);
  });

  it('is excused where its claim was in flight when its instance was killed', () => {
    const instances = [killed('a', 15_010), life('b'), life('c')];
    const others = without(cleanRuns(['b', 'c']), 15_000);
    expect(findings(others, conditions(REPORT, { instances }), [call(15_000, 'a', 15_002)])).toEqual([]);
    expect(findings(others, conditions(REPORT, { instances }), [call(15_000, 'a', 15_002, 15_006)])).toEqual([
      'missed',
    ]);
    expect(findings(others, conditions(REPORT, { instances }))).toEqual(['missed']);
  });

  it('is excused where its instance could not release a claim before it was suspended, and only that long', () => {
    const rest = without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000);
    const calls = [call(15_000, 'a', 15_002, 15_400)];
    const skips = [{ ...calls[0]!, at: 15_400, reason: 'store-down', call: calls[0]!.id }];
    const found = (cut: number, more: Partial<History>, of = rest): string[] =>
      findingsIn(of, suspendedIn(cut), { calls, ...more });
    expect(found(15_450, { skips })).toEqual([]);
    expect(found(15_450, { skips: [] })).toEqual(['missed', 'missed', 'missed']);
    expect(found(15_450, { skips }, without(rest, 19_000))).toEqual(['missed']);
    // The nodes have been back for long enough, whatever came later.
    expect(found(16_900, { skips })).toEqual(['missed', 'missed', 'missed']);
    const later = out(0, 1, 2).map(({ node }) => ({ node, from: 20_500, until: 21_500 }));
    const missed = findingsIn(rest, suspendedIn(21_000, later), { calls, skips });
    expect(missed).toEqual(['missed', 'missed', 'missed']);
    // It should not have been given up.
    const well = { ...suspendedIn(15_450), nodeFaults: [] };
    expect(findingsIn(rest, well, { calls, skips })).toContain('missed');
  });

  it('is excused while the claim of the next run is on its way, and not before', () => {
    const instances = [life('a', {}, 300)];
    const rest = without(cleanRuns(['a']), 15_000, 16_000);
    const slow = run(16_000, 'a', 15_850);
    const since = (at: number, under: Conditions): string[] =>
      findings([...rest, called(at, slow)], under, [call(16_000, 'a', at, 15_900)]);
    expect(since(15_700, conditions(REPORT, { instances }))).toEqual(['missed']);
    const behind = [life('b', {}, -650), life('a', { up: { from: 15_500, until: Infinity } }, 300)];
    expect(since(15_600, conditions(REPORT, { instances: behind }))).toEqual([]);
    expect(since(15_800, conditions(REPORT, { instances: behind }))).toEqual(['missed']);
  });

  it('counts for an instance whose clock was set only where it has found its step', () => {
    const stepped = life('a', {
      clock: [
        { since: -Infinity, ahead: 0 },
        { since: 14_000, ahead: -1000 },
      ],
    });
    const under = (tick: number): Conditions =>
      conditions(REPORT, { instances: [stepped], window: { from: tick, until: tick + 1000 } });
    expect(findings([], under(15_000))).toEqual([]);
    expect(findings([], under(19_000))).toEqual(['missed']);
  });
});

describe('connections that are forgotten', () => {
  const all = [0, 1, 2, 3, 4];
  const runs = without(cleanRuns(), 15_000);
  const before = run(14_000, 'a', 14_005, { end: 14_300 });

  it('are no excuse for a tick that nobody ran', () => {
    for (const at of [14_500, 14_950, 15_005]) {
      expect(findings(runs, conditions(REPORT, { forgotten: forgotten(at, ...all) }))).toEqual(['missed']);
    }
  });

  it('are one where the run before could not be settled at once, and only for as long as that takes', () => {
    const rest = [...without(runs, 14_000), before];
    const found = (at: number, nodes: readonly number[], of = rest): string[] =>
      findings(of, conditions(REPORT, { forgotten: forgotten(at, ...nodes) }));
    expect(found(14_100, all)).toEqual([]);
    expect(found(14_100, [2, 3, 4])).toEqual([]);
    expect(found(14_100, [0, 1])).toEqual(['missed']);
    expect(found(13_900, all)).toEqual(['missed']);
    expect(found(14_100, all, without(rest, 16_000))).toEqual(['missed']);
  });

  it('are one where a newer tick was begun while the claim was sent again', () => {
    // One comes to the tick late, the other has just started, and comes to the next one early.
    const instances = [life('b', {}, -500), life('c', { up: { from: 15_100, until: Infinity } }, 400)];
    const late = without(cleanRuns(['b']), 15_000, 16_000).map((each) =>
      run(each.tick, 'b', (each.tick ?? 0) + 505),
    );
    const found = (at: number, nodes: readonly number[], start = 15_605): string[] =>
      findings(
        [...late, run(16_000, 'c', start)],
        conditions(REPORT, { instances, forgotten: forgotten(at, ...nodes) }),
      );
    expect(found(15_300, all)).toEqual([]);
    expect(found(15_300, [0, 1])).toEqual(['missed']);
    expect(found(14_100, all)).toEqual(['missed']);
    expect(found(15_300, all, 16_350)).toEqual(['missed']);
  });

  it('leave it open whether a run was settled whose instance dies before it could ask again', () => {
    const instances = [killed('a', 15_600), life('b'), life('c')];
    const rest = without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000);
    const twice = [...rest, run(15_000, 'a', 15_005), run(15_000, 'b', 18_700)];
    expect(findings(twice, recovering({ instances, forgotten: forgotten(15_010, ...all) }))).toEqual([]);
    expect(findings(twice, recovering({ instances }))).toContain('duplicate');
  });

  it('can let the lease of a suspended instance end earlier', () => {
    const instances = [life('a', { pauses: [{ from: 15_100, until: 16_300 }] }), life('b'), life('c')];
    const first = run(15_000, 'a', 15_005, { end: 16_310 });
    const history = [...without(cleanRuns(['b', 'c']), 15_000), first];
    const found = findings(history, conditions(REPORT, { instances, forgotten: forgotten(15_050, ...all) }));
    expect(found).toEqual([]);
    expect(findings(history, conditions(REPORT, { instances }))).toEqual(['overlap']);
  });
});

describe('the order', () => {
  it('is broken by a tick that starts after a newer one was settled', () => {
    const runs = [...without(cleanRuns(), 15_000), run(15_000, 'c', 16_500)];
    expect(findings(runs, conditions(REPORT))).toEqual(['order']);
  });

  it('is not broken while the newer one could not be settled', () => {
    const instances = [killed('a', 16_010), life('b'), life('c', {}, -2500)];
    const runs = [
      ...without(cleanRuns(['b']), 15_000, 16_000, 17_000, 18_000, 19_000),
      unfinished(16_000, 'a', 16_005),
      run(15_000, 'c', 17_505),
    ];
    expect(
      findings(runs, conditions(REPORT, { instances, window: { from: 20_000, until: 30_000 } })),
    ).toEqual([]);
  });
});

describe('a run before its time', () => {
  it('is found', () => {
    const runs = [...without(cleanRuns(), 15_000), run(15_000, 'a', 14_300)];
    expect(findings(runs, conditions(REPORT))).toEqual(['early']);
  });

  it('is found where it has no tick at all', () => {
    expect(findings([...cleanRuns(), run(null, 'a', 15_500)], conditions(REPORT))).toEqual(['early']);
  });
});

describe('an interval', () => {
  const starts = Array.from({ length: 30 }, (_each, index) => 5000 + index * 1000);
  const runs = starts.map((start) => run(null, 'a', start));

  it('is accepted when it keeps its distance', () => {
    expect(findings(runs, conditions(CLEANING))).toEqual([]);
  });

  it('is found to have been run too soon', () => {
    expect(findings([...runs, run(null, 'b', 15_500)], conditions(CLEANING))).toEqual(['early', 'early']);
  });

  it('counts from the claim, where that is known', () => {
    const rest = runs.filter(({ start }) => start < 15_000 || start > 15_500);
    const late = run(null, 'b', 15_400);
    expect(findings([...rest, late], conditions(CLEANING))).toEqual(['early']);
    // An instance that has waited for its nodes can have two calls under way.
    const calls = [call(null, 'b', 15_050, 15_450), call(null, 'b', 15_350, 15_440)];
    expect(findings([...rest, called(15_050, late)], conditions(CLEANING), calls)).toEqual([]);
    expect(findings([...rest, called(15_350, late)], conditions(CLEANING), calls)).toEqual(['early']);
  });

  it('is found to have been missed, though an instance was there', () => {
    const gap = runs.filter(({ start }) => start < 15_000 || start > 18_500);
    expect(findings(gap, conditions(CLEANING))).toEqual(['missed']);
    expect(
      findings(
        gap,
        conditions(CLEANING, { instances: [life('a', { pauses: [{ from: 15_500, until: 17_500 }] })] }),
      ),
    ).toEqual([]);
  });
});

describe('a tick whose instance was killed in it', () => {
  const instances = [killed('a', 15_015), life('b'), life('c')];
  const runs = [
    ...without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000),
    unfinished(15_000, 'a', 15_005),
  ];

  it('must be run again, in time, where the job recovers', () => {
    expect(findings(runs, conditions(REPORT, { instances }))).toEqual([]);
    expect(findings(runs, recovering({ instances }))).toEqual(['not recovered']);
    expect(findings([...runs, run(15_000, 'b', 19_900)], recovering({ instances }))).toEqual([
      'order',
      'not recovered',
    ]);
    expect(findings([...runs, run(15_000, 'b', 18_100)], recovering({ instances }))).toEqual([]);
  });

  it('must be run again where it can have been claimed by an instance that died before it began', () => {
    const claimed = [call(15_000, 'a', 15_002)];
    const lost = without(runs, 15_000, 16_000, 17_000, 18_000).filter(({ instance }) => instance !== 'a');
    expect(findings(lost, recovering({ instances }), claimed)).toEqual(['not recovered']);
    const [dead = life('a'), ...others] = instances;
    const rest = without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000, 18_000);
    const before = conditions(REPORT, { instances: [dead, ...others.map(withRecover)] });
    expect(findings(rest, before, claimed)).toEqual([]);
  });

  it('need not be where that instance came after the run of another one', () => {
    const claimed = [call(15_000, 'a', 15_012)];
    const ran = [
      ...without(runs, 15_000).filter(({ instance }) => instance !== 'a'),
      run(15_000, 'b', 15_005),
    ];
    expect(findings(ran, recovering({ instances }), claimed)).toEqual([]);
  });

  it('need not be where that instance died before its claim could be granted, or another run held the lock', () => {
    const early = [call(16_000, 'a', 14_000)];
    const rest = without(runs, 16_000).filter(({ instance }) => instance !== 'a');
    const recovered = [unfinished(15_000, 'a', 15_005), run(15_000, 'b', 18_100)];
    const later = [killed('a', 15_300), life('b'), life('c')];
    expect(findings([...rest, ...recovered], recovering({ instances: later }), early)).toEqual([]);
  });

  it('need not be where another run was in progress when it was claimed', () => {
    const long = called(14_002, run(14_000, 'b', 14_005, { end: 15_005 }));
    const calls = [call(14_000, 'b', 14_002, 15_008), call(15_000, 'a', 15_002)];
    const rest = without(cleanRuns(['b', 'c']), 14_000, 15_000, 16_000, 17_000, 18_000);
    expect(findings([...rest, long], recovering({ instances }), calls)).toEqual([]);
    const short = { ...long, end: 14_900 };
    const before = [call(14_000, 'b', 14_002, 14_910), call(15_000, 'a', 15_002)];
    expect(findings([...rest, short], recovering({ instances }), before)).toEqual(['not recovered']);
  });

  it('must be run again where shutdown has cut it off, and not where its lock was lost', () => {
    const shutDown = [life('a', { up: { from: 0, until: 15_100 }, goneAt: 15_500 }), life('b'), life('c')];
    const rest = without(runs, 15_000);
    const left = cutOff(15_000, 'a', 15_005, 15_400);
    expect(findings([...rest, left], recovering({ instances: shutDown }))).toContain('not recovered');
    const lost = { ...left, abortReason: 'LockLostError' };
    expect(findings([...rest, lost], recovering({ instances: shutDown }))).not.toContain('not recovered');
    expect(findings([...rest, left], conditions(REPORT, { instances: shutDown }))).not.toContain(
      'not recovered',
    );
  });

  it('need not be where it was claimed without `recover`, or nobody else has that', () => {
    const [dead = life('a'), ...others] = instances;
    const before = [dead, ...others.map(withRecover)];
    expect(findings(runs, conditions(REPORT, { instances: before }))).toEqual([]);
    const after = [withRecover(dead), ...others];
    expect(findings(runs, conditions(REPORT, { instances: after }))).toEqual([]);
  });

  describe('by an instance that starts later', () => {
    it('must be run again, if that one finds it in time', () => {
      expect(isOwed(lateHeir(15_600))).toBe(true);
      // The lease can be over, and the next tick come first.
      expect(isOwed(lateHeir(16_600))).toBe(false);
    });

    it('need not be where that one can have looked before the tick was due, or begun', () => {
      expect(isOwed(lateHeir(15_300))).toBe(false);
      expect(isOwed(lateHeir(15_700), { start: 15_400 })).toBe(false);
      expect(isOwed(lateHeir(16_000), { start: 15_400 })).toBe(true);
    });

    it('need not be where it is not among the ticks that are looked at', () => {
      expect(isOwed(lateHeir(23_500), { ttl: 30_000 })).toBe(true);
      expect(isOwed(lateHeir(24_500), { ttl: 30_000 })).toBe(false);
      expect(isOwed(lateHeir(23_500, 1000), { ttl: 30_000 })).toBe(false);
      expect(isOwed(lateHeir(16_500, -2000), { ttl: 30_000 })).toBe(false);
    });

    it('need not be where the latest ticks are not due yet for so long', () => {
      expect(isOwed(lateHeir(15_600, 700))).toBe(true);
      expect(isOwed(lateHeir(15_600, 2500))).toBe(false);
    });

    it('need not be where that one does not recover', () => {
      expect(isOwed({ ...lateHeir(15_600), recovering: [] })).toBe(false);
    });
  });

  it('need not be where nobody could', () => {
    expect(
      findings(
        [unfinished(15_000, 'a', 15_005)],
        recovering({ instances: instances.slice(0, 1), window: { from: 15_000, until: 30_000 } }),
      ),
    ).toEqual([]);
  });
});
