import type { Conditions, InstanceLife, JobRule, NodeFault } from './conditions.js';
import type { Call, History, Operation, Run } from './history.js';
import { judge } from './judge.js';
import type { Order } from './log.js';

// The monotonic clock of these histories begins at the epoch, so that a tick is due when the clock shows its number.
export const REPORT: JobRule = { name: 'report', kind: 'cron', period: 1000, ttl: 3000, catchesUp: false };
export const CLEANING: JobRule = { ...REPORT, kind: 'interval' };
export const WINDOW = { from: 10_000, until: 30_000 };

export function life(name: string, differences: Partial<InstanceLife> = {}, ahead = 0): InstanceLife {
  return {
    name,
    up: { from: 0, until: Infinity },
    goneAt: Infinity,
    killed: false,
    pauses: [],
    recovering: [],
    clock: [{ since: -Infinity, ahead }],
    ...differences,
  };
}

/** An instance that is killed at a moment. */
export function killed(name: string, at: number): InstanceLife {
  return life(name, { up: { from: 0, until: at }, goneAt: at, killed: true });
}

export function conditions(rule: JobRule, differences: Partial<Conditions> = {}): Conditions {
  const instances = [life('a'), life('b'), life('c')];
  const nodes = { nodeCount: 5, nodeFaults: [], forgotten: [] };
  return { window: WINDOW, epoch: 0, jobs: [rule], instances, ...nodes, ...differences };
}

/** The same with `recover` on all instances. */
export function recovering({
  instances = [life('a'), life('b'), life('c')],
  ...rest
}: Partial<Conditions>): Conditions {
  return conditions(REPORT, { instances: instances.map(withRecover), ...rest });
}

export function withRecover(instance: InstanceLife): InstanceLife {
  return { ...instance, recovering: ['report'] };
}

export function run(tick: number | null, instance: string, start: number, rest: Partial<Run> = {}): Run {
  return { id: `${instance}-${start}`, job: 'report', tick, instance, start, end: start + 30, ...rest };
}

/** A run that its instance did not live to end. */
export function unfinished(tick: number, instance: string, start: number): Run {
  return { id: `${instance}-${start}`, job: 'report', tick, instance, start };
}

/** A run that the shutdown of its instance aborted. */
export function cutOff(tick: number, instance: string, start: number, aborted: number): Run {
  return run(tick, instance, start, { aborted, abortReason: 'ShutdownError', end: aborted + 2 });
}

/** A claim that began at one moment, and was answered at another. */
export function call(tick: number | null, instance: string, at: number, over?: number): Call {
  return { id: `call ${instance}-${at}`, job: 'report', tick, instance, at, over };
}

/** A run that was called at a moment. */
export function called(at: number, ofRun: Run): Run {
  return { ...ofRun, call: `call ${ofRun.instance}-${at}` };
}

/** Nodes that are out when the tick of 15_000 is due. */
export function out(...nodes: number[]): NodeFault[] {
  return nodes.map((node) => ({ node, from: 14_900, until: 15_500 }));
}

/** Nodes to which all connections are forgotten at a moment. */
export function forgotten(at: number, ...nodes: number[]): NodeFault[] {
  return nodes.map((node) => ({ node, from: at, until: at }));
}

/** The instance `a` is suspended just after its run of 15_000 began. */
export function suspended(until: number): Partial<Conditions> {
  return { instances: [life('a', { pauses: [{ from: 15_020, until }] }), life('b'), life('c')] };
}

/** Every second one run, by turns on the instances that are named. */
export function cleanRuns(instances = ['a', 'b', 'c'], from = 5000, until = 35_000): Run[] {
  const ticks = Array.from({ length: (until - from) / 1000 }, (_each, index) => from + index * 1000);
  return ticks.map((tick, index) => run(tick, instances[index % instances.length] ?? 'a', tick + 5));
}

export function without(runs: readonly Run[], ...ticks: number[]): Run[] {
  return runs.filter(({ tick }) => !ticks.includes(tick ?? 0));
}

/** A history of runs and calls alone, or of more. */
export function historyOf(runs: readonly Run[], more: Partial<History> = {}): History {
  const sorted = runs.toSorted((a, b) => a.start - b.start);
  return { calls: [], operations: [], skips: [], reports: [], ...more, runs: sorted };
}

/** The kinds of the violations that the judge finds. */
export function findings(runs: readonly Run[], under: Conditions, calls: readonly Call[] = []): string[] {
  return judge(historyOf(runs, { calls }), under).violations.map(({ kind }) => kind);
}

/** An order that was carried out within 20 ms. */
export function order(kind: Order['kind'], at: number, rest: Partial<Operation> = {}): Operation {
  const outcome = kind === 'trigger' ? 'ran' : 'done';
  return {
    id: `${kind} ${at}`,
    kind,
    job: 'report',
    instance: 'a',
    asked: at,
    answered: at + 20,
    outcome,
    ...rest,
  };
}

/** The kinds of the violations that the judge finds in a history with orders, or with what instances said. */
export function findingsIn(runs: readonly Run[], under: Conditions, more: Partial<History>): string[] {
  return judge(historyOf(runs, more), under).violations.map(({ kind }) => kind);
}
