import { describe, expect, it } from 'vitest';
import type { Conditions } from './conditions.js';
import type { History, MissedReport, Run } from './history.js';
import {
  call,
  called,
  cleanRuns,
  conditions,
  findingsIn,
  killed,
  life,
  order,
  REPORT,
  run,
  unfinished,
  without,
  withRecover,
} from './written-history.js';

/** The instance `a` wins the tick of 17_000, and says that the two before were missed. */
const NEXT = run(17_000, 'a', 17_005);

function report(cause: MissedReport['cause'], rest: Partial<MissedReport> = {}): MissedReport {
  return { job: 'report', instance: 'a', at: 17_010, from: 15_000, to: 16_000, cause, ...rest };
}

/** What the judge finds wrong with a report, where the ticks were not run. */
function faults(
  said: MissedReport,
  under: Partial<Conditions> = {},
  more: Partial<History> = {},
  others: readonly Run[] = [],
): string[] {
  const runs = [...without(cleanRuns(), 15_000, 16_000, 17_000), ...others, NEXT];
  const found = findingsIn(runs, conditions(REPORT, under), { reports: [said], ...more });
  return found.filter((kind) => kind.startsWith('miss '));
}

function out(...nodes: number[]): Partial<Conditions> {
  return { nodeFaults: nodes.map((node) => ({ node, from: 15_000, until: 16_500 })) };
}

describe('a report on missed ticks', () => {
  it('may name a run that was in progress if an instance that recovers has just started', () => {
    const others = [life('b'), life('c')];
    const up = { from: 15_200, until: Infinity };
    expect(faults(report('overlap'), { instances: [withRecover(life('a', { up })), ...others] })).toEqual([]);
    const old = withRecover(life('a', { up: { ...up, from: 14_000 } }));
    expect(faults(report('overlap'), { instances: [old, ...others] })).toEqual(['miss misnamed']);
    expect(faults(report('overlap'), { instances: [life('a', { up }), ...others] })).toEqual([
      'miss misnamed',
    ]);
  });

  it('is invented if one of them was run and settled', () => {
    expect(faults(report('unknown'))).toEqual([]);
    expect(faults(report('unknown'), {}, {}, [run(16_000, 'b', 16_005)])).toEqual(['miss invented']);
  });

  it('is not invented if nobody knows whether that one was settled', () => {
    const nodeFaults = [0, 1, 2].map((node) => ({ node, from: 16_020, until: 16_200 }));
    expect(faults(report('unknown'), { nodeFaults }, {}, [run(16_000, 'b', 16_005)])).toEqual([]);
    const instances = [life('a'), killed('b', 16_010), life('c')];
    expect(faults(report('died'), { instances }, {}, [unfinished(16_000, 'b', 16_005)])).toEqual([]);
  });

  it('may name the nodes only if they were out of reach of its instance', () => {
    expect(faults(report('store-down'))).toEqual(['miss misnamed']);
    expect(faults(report('store-down'), out(0, 1, 2))).toEqual([]);
    expect(faults(report('store-down'), out(0, 1))).toEqual(['miss misnamed']);
    const suspended = [life('a', { pauses: [{ from: 15_200, until: 15_900 }] }), life('b'), life('c')];
    expect(faults(report('store-down'), { instances: suspended })).toEqual([]);
  });

  it('may name the nodes if they were out of reach when the clock of its instance showed the tick', () => {
    const nodeFaults = [0, 1, 2].map((node) => ({ node, from: 12_400, until: 13_600 }));
    expect(faults(report('store-down'), { nodeFaults })).toEqual(['miss misnamed']);
    const ahead = [life('a', {}, 2500), life('b'), life('c')];
    expect(faults(report('store-down'), { nodeFaults, instances: ahead })).toEqual([]);
  });

  it('may name another run only if there was one', () => {
    expect(faults(report('overlap'))).toEqual(['miss misnamed']);
    const long = run(14_000, 'b', 14_005, { end: 16_900 });
    const runs = [...without(cleanRuns(), 14_000, 15_000, 16_000, 17_000), long, NEXT];
    expect(findingsIn(runs, conditions(REPORT), { reports: [report('overlap')] })).toEqual([]);
  });

  it('may name a death only if a run was not settled', () => {
    expect(faults(report('died'))).toEqual(['miss misnamed']);
    const instances = [life('a'), killed('b', 15_010), life('c')];
    expect(faults(report('died'), { instances }, {}, [unfinished(15_000, 'b', 15_005)])).toEqual([]);
  });

  describe('on ticks of a job that was paused', () => {
    const operations = [
      order('pause', 11_000, { instance: 'b' }),
      order('resume', 16_900, { instance: 'b' }),
    ];
    const pausedFor = (cause: MissedReport['cause'], under: Partial<Conditions> = {}): string[] => {
      const runs = [...cleanRuns().filter(({ tick }) => (tick ?? 0) < 11_500 || (tick ?? 0) > 17_000), NEXT];
      const reports = [report(cause, { from: 12_000 })];
      return findingsIn(runs, conditions(REPORT, under), { operations, reports });
    };

    it('may name the pause', () => expect(pausedFor('paused')).toEqual([]));

    it('must name it if the instance was there without a doubt', () => {
      const early = [order('pause', 8000, { instance: 'b' }), order('resume', 16_900, { instance: 'b' })];
      const runs = [...cleanRuns().filter(({ tick }) => (tick ?? 0) < 8500 || (tick ?? 0) > 17_000), NEXT];
      const said = (instances = [life('a'), life('b'), life('c')]): string[] =>
        findingsIn(runs, conditions(REPORT, { instances }), {
          operations: early,
          reports: [report('unknown', { from: 12_000 })],
        });
      expect(said()).toEqual(['miss misnamed']);
      const late = life('a', { up: { from: 15_500, until: Infinity } });
      expect(said([late, life('b'), life('c')])).toEqual([]);
    });

    it('may name a death instead if an instance may have died while it made up for them', () => {
      const early = [order('pause', 8000, { instance: 'b' }), order('resume', 16_500, { instance: 'b' })];
      const runs = [...cleanRuns().filter(({ tick }) => (tick ?? 0) < 8500 || (tick ?? 0) > 17_000), NEXT];
      const withDeath = (catchesUp: boolean, c = killed('c', 16_900)): string[] =>
        findingsIn(runs, conditions({ ...REPORT, catchesUp }, { instances: [life('a'), life('b'), c] }), {
          operations: early,
          reports: [report('died', { from: 12_000 })],
        }).filter((kind) => kind.startsWith('miss '));
      expect(withDeath(true)).toEqual([]);
      expect(withDeath(false)).toEqual(['miss misnamed']);
      expect(withDeath(true, life('c'))).toEqual(['miss misnamed']);
    });

    it('may name a run instead that an operator started meanwhile, but no other', () => {
      const early = [order('pause', 5000, { instance: 'b' }), order('resume', 16_900, { instance: 'b' })];
      const runs = [...cleanRuns().filter(({ tick }) => (tick ?? 0) < 5500 || (tick ?? 0) > 17_000), NEXT];
      const reports = [report('overlap', { from: 12_000, to: 12_000 })];
      const withRunAt = (start: number): string[] => {
        const started = called(start - 5, run(null, 'c', start, { trigger: 'manual' }));
        const calls = [call(null, 'c', start - 5, start + 40)];
        const found = findingsIn([...runs, started], conditions(REPORT), {
          operations: early,
          reports,
          calls,
        });
        return found.filter((kind) => kind.startsWith('miss '));
      };
      expect(withRunAt(12_100)).toEqual([]);
      expect(withRunAt(15_500)).toEqual(['miss misnamed']);
    });

    it('may name it only if it was paused', () => {
      expect(faults(report('paused'))).toEqual(['miss misnamed']);
    });

    it('may name it by the clock of the instance that resumed it', () => {
      const short = [order('pause', 11_000, { instance: 'b' }), order('resume', 13_500, { instance: 'b' })];
      const ahead = [life('a'), life('b', {}, 2500), life('c')];
      const said = report('paused', { to: 15_000 });
      expect(faults(said, {}, { operations: short })).toEqual(['miss misnamed']);
      expect(faults(said, { instances: ahead }, { operations: short })).toEqual([]);
    });
  });
});
