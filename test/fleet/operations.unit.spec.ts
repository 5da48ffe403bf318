import { describe, expect, it } from 'vitest';
import type { History, Operation, Run, Skip } from './history.js';
import { judge } from './judge.js';
import {
  call,
  called,
  CLEANING,
  cleanRuns,
  conditions,
  findingsIn,
  historyOf,
  killed,
  life,
  order,
  REPORT,
  run,
  without,
} from './written-history.js';

const PAUSE = order('pause', 14_400);
const RESUME = order('resume', 17_500);
const DURING = [15_000, 16_000, 17_000];

function skip(tick: number | null, at: number, rest: Partial<Skip> = {}): Skip {
  return { job: 'report', tick, instance: 'b', at, reason: 'paused', ...rest };
}

/** What the judge finds in a clean history, but for the ticks that were not run. */
function found(
  operations: readonly Operation[],
  notRun: readonly number[],
  under = conditions(REPORT),
): string[] {
  return findingsIn(without(cleanRuns(), ...notRun), under, { operations });
}

describe('a pause', () => {
  it('is accepted, and its ticks are not owed', () => {
    const verdict = judge(
      historyOf(without(cleanRuns(), ...DURING), { operations: [PAUSE, RESUME] }),
      conditions(REPORT),
    );
    expect(verdict).toMatchObject({ violations: [], paused: 3, owed: 16, unrun: 3 });
  });

  it('is lost if a tick runs in it', () => {
    expect(found([PAUSE, RESUME], [15_000, 16_000])).toEqual(['pause lost']);
    expect(found([PAUSE, RESUME], [])).toEqual(['pause lost', 'pause lost', 'pause lost']);
  });

  it('is lost if a tick is made up for in it, or taken over', () => {
    for (const trigger of ['catch-up', 'recover'] as const) {
      const late = run(17_000, 'b', 17_300, { trigger });
      const runs = [...without(cleanRuns(), ...DURING), late];
      expect(findingsIn(runs, conditions(REPORT), { operations: [PAUSE, RESUME] })).toContain('pause lost');
    }
  });

  it('may be passed by a claim that is in flight', () => {
    const calls = [call(15_000, 'a', 14_505, 15_040)];
    const inFlight = called(14_505, run(15_000, 'a', 15_010));
    const operations = [order('pause', 14_490), RESUME];
    const rest = without(cleanRuns(), ...DURING);
    expect(findingsIn([...rest, inFlight], conditions(REPORT), { operations, calls })).toEqual([]);
    const later = { ...inFlight, call: undefined };
    expect(findingsIn([...rest, later], conditions(REPORT), { operations })).toEqual([]);
    // The call came after the pause was confirmed.
    const after = called(14_600, run(15_000, 'a', 15_010));
    const lateCalls = [call(15_000, 'a', 14_600, 15_040)];
    expect(findingsIn([...rest, after], conditions(REPORT), { operations, calls: lateCalls })).toEqual([
      'pause lost',
    ]);
  });

  it('counts from its confirmation to the request for its end', () => {
    const slow = order('pause', 14_500, { answered: 15_100 });
    expect(found([slow, RESUME], [16_000, 17_000])).toEqual([]);
    expect(found([PAUSE, order('resume', 16_900, { answered: 17_500 })], [15_000, 16_000])).toEqual([]);
  });

  it('excuses no tick after its end was confirmed', () => {
    expect(found([PAUSE, RESUME], [...DURING, 18_000])).toEqual(['missed']);
    expect(found([PAUSE, order('resume', 17_500, { answered: 18_010 })], [...DURING, 18_000])).toEqual([]);
  });

  it('leaves runs that an operator starts alone', () => {
    const manual = run(null, 'c', 16_500, { trigger: 'manual', order: 'trigger 16490' });
    const operations = [PAUSE, order('trigger', 16_490), RESUME];
    expect(
      findingsIn([...without(cleanRuns(), ...DURING), manual], conditions(REPORT), { operations }),
    ).toEqual([]);
  });

  describe('that ends by itself', () => {
    const bounded = order('pause', 14_400, { for: 3000 });

    it('is lost if a tick runs before its end', () => {
      expect(found([bounded], DURING)).toEqual([]);
      expect(found([bounded], [15_000, 16_000])).toEqual(['pause lost']);
    });

    it('excuses no tick after its end', () => {
      expect(found([bounded], [...DURING, 18_000])).toEqual(['missed']);
    });

    it('ends by the clock of the instance that asked for it', () => {
      const ahead = conditions(REPORT, { instances: [life('a', {}, 2000), life('b'), life('c')] });
      expect(found([bounded], [...DURING, 18_000, 19_000], ahead)).toEqual([]);
      expect(found([bounded], [...DURING, 18_000], ahead)).toEqual(['pause lost']);
    });
  });

  describe('that was not confirmed', () => {
    const failed = { ...PAUSE, outcome: 'failed' };

    it('may have taken effect or not, until another operation is confirmed', () => {
      expect(found([failed, RESUME], DURING)).toEqual([]);
      expect(found([failed, RESUME], [])).toEqual([]);
      expect(found([failed, RESUME], [...DURING, 18_000])).toEqual(['missed']);
      expect(found([failed, order('pause', 15_500), RESUME], [16_000])).toEqual(['pause lost']);
    });

    it('may take effect until its instance is gone', () => {
      const silent = { ...PAUSE, instance: 'a', answered: undefined, outcome: undefined };
      const instances = [killed('a', 16_500), life('b'), life('c')];
      const rest = without(cleanRuns(['b', 'c']), 15_000, 16_000, 17_000);
      const found18 = (resumedAt: number): string[] =>
        findingsIn(without(rest, 18_000), conditions(REPORT, { instances }), {
          operations: [silent, order('resume', resumedAt, { instance: 'b' })],
        });
      expect(found18(16_000)).toEqual([]);
      expect(found18(17_000)).toEqual(['missed']);
    });
  });

  it('is not known while two operations are in progress', () => {
    const both = [
      order('pause', 14_500, { answered: 14_700 }),
      order('resume', 14_600, { answered: 14_800 }),
    ];
    expect(found(both, DURING)).toEqual([]);
    expect(found(both, [])).toEqual([]);
  });
});

/** A tick is skipped as paused by an instance whose call is not known. */
function skipsAt(at: number, tick = 15_000): Partial<History> {
  return { operations: [PAUSE, RESUME], skips: [skip(tick, at)] };
}

describe('a tick that is skipped as paused', () => {
  const runs = without(cleanRuns(), ...DURING);

  it('is accepted in a pause, and while it is not known whether there is one', () => {
    expect(findingsIn(runs, conditions(REPORT), skipsAt(15_010))).toEqual([]);
    expect(findingsIn(runs, conditions(REPORT), skipsAt(17_600, 17_000))).toEqual([]);
  });

  it('is invented where its claim was made after the end was confirmed', () => {
    expect(findingsIn(runs, conditions(REPORT), skipsAt(20_010, 20_000))).toEqual(['pause invented']);
    const calls = [call(18_000, 'b', 17_530)];
    const known = {
      operations: [PAUSE, RESUME],
      skips: [skip(18_000, 18_010, { call: calls[0]?.id })],
      calls,
    };
    expect(findingsIn(runs, conditions(REPORT), known)).toEqual(['pause invented']);
    const before = {
      ...known,
      calls: [call(18_000, 'b', 17_510)],
      skips: [skip(17_900, 18_010, { call: 'call b-17510' })],
    };
    expect(findingsIn(runs, conditions(REPORT), before)).toEqual([]);
  });

  it('is invented where nobody has ever paused the job', () => {
    expect(findingsIn(cleanRuns(), conditions(REPORT), { skips: [skip(15_000, 15_010)] })).toEqual([
      'pause invented',
    ]);
  });

  it('is invented after a pause that has ended by itself', () => {
    const operations = [order('pause', 14_500, { for: 2000 })];
    const at = (time: number): string[] =>
      findingsIn(without(cleanRuns(), 15_000, 16_000), conditions(REPORT), {
        operations,
        skips: [skip(time, time)],
      });
    expect(at(16_000)).toEqual([]);
    expect(at(19_000)).toEqual(['pause invented']);
  });
});

describe('an interval', () => {
  const starts = Array.from({ length: 30 }, (_each, index) => 5000 + index * 1000);
  const runs = starts.map((start) => run(null, 'a', start));
  const operations = [order('pause', 14_500), order('resume', 19_500)];
  const outside = runs.filter(({ start }) => start < 15_000 || start > 19_000);

  it('is not owed in a pause, and must not run in it', () => {
    expect(findingsIn(outside, conditions(CLEANING), { operations })).toEqual([]);
    expect(findingsIn(outside, conditions(CLEANING), {})).toContain('missed');
    const inside = run(null, 'a', 17_500);
    expect(findingsIn([...outside, inside], conditions(CLEANING), { operations })).toEqual(['pause lost']);
  });

  it('does not count the runs that an operator starts', () => {
    const manual = run(null, 'b', 15_500, { trigger: 'manual', order: 'trigger 15490' });
    expect(
      findingsIn([...runs, manual], conditions(CLEANING), { operations: [order('trigger', 15_490)] }),
    ).toEqual([]);
  });
});

describe('a trigger', () => {
  const trigger = order('trigger', 15_490);
  const manual = (start: number, rest: Partial<Run> = {}): Run =>
    run(null, 'a', start, { trigger: 'manual', order: trigger.id, ...rest });
  const given = (runs: readonly Run[], rest: Partial<Operation> = {}): string[] =>
    findingsIn([...cleanRuns(), ...runs], conditions(REPORT), { operations: [{ ...trigger, ...rest }] });

  it('is accepted if it runs once', () => expect(given([manual(15_500)])).toEqual([]));

  it('must not run twice', () => {
    expect(given([manual(15_500), manual(15_600)])).toEqual(['trigger']);
  });

  it('must not run while another run is in progress', () => {
    expect(given([manual(15_020)])).toContain('overlap');
    expect(given([manual(15_500, { end: 16_100 })])).toContain('overlap');
  });

  it('must do what it says', () => {
    expect(given([])).toEqual(['trigger']);
    expect(given([manual(15_500)], { outcome: 'overlap' })).toEqual(['trigger']);
  });

  it('must be on record as manual, and without a tick', () => {
    expect(given([manual(15_500, { trigger: 'call' })])).toContain('trigger');
    expect(given([{ ...manual(15_500), tick: 15_000 }])).toContain('trigger');
  });

  it('may or may not have run if nobody was told', () => {
    const unknown = { answered: undefined, outcome: undefined };
    expect(given([manual(15_500)], unknown)).toEqual([]);
    expect(given([], unknown)).toEqual([]);
  });

  it('may be refused only if something stands in its way', () => {
    expect(given([], { outcome: 'overlap' })).toEqual(['trigger']);
    expect(given([], { outcome: 'paused' })).toEqual(['trigger']);
    expect(given([], { outcome: 'store-down' })).toEqual(['trigger']);
    const busy = [...without(cleanRuns(), 15_000), run(15_000, 'b', 15_005, { end: 15_600 })];
    expect(
      findingsIn(busy, conditions(REPORT), { operations: [{ ...trigger, outcome: 'overlap' }] }),
    ).toEqual([]);
    const nodeFaults = [0, 1, 2].map((node) => ({ node, from: 15_300, until: 15_600 }));
    const down = { operations: [{ ...trigger, outcome: 'store-down' }] };
    expect(findingsIn(cleanRuns(), conditions(REPORT, { nodeFaults }), down)).toEqual([]);
  });
});
