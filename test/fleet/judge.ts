import { owedCatchUps, wronglyCaughtUp } from './caught-up.js';
import type { Conditions, InstanceLife, JobRule } from './conditions.js';
import type { Call, History, MissedReport, Operation, Skip } from './history.js';
import { darkClaims, type DarkClaim, EARLY_CLAIM, judgedRun, type JudgedRun } from './judged-run.js';
import { missedIntervals, missedTicks, notRecovered } from './missed.js';
import { invented, misnamed } from './missed-reports.js';
import { inventedPauses, lostPauses, wrongTriggers } from './operations.js';
import { Pauses } from './pauses.js';

export type ViolationKind =
  /** A tick was started twice, and not because the first run had died in it. */
  | 'duplicate'
  /** A run started while another one of the job went on. */
  | 'overlap'
  /** A tick was due, an instance could reach a quorum, nothing stood in its way, and nobody ran it. */
  | 'missed'
  /** A tick was started after a newer one was settled. */
  | 'order'
  /** A tick was started before its time, or an interval before the last one was over. */
  | 'early'
  /** A tick that was claimed with `recover`, and whose run had died, was not run again in time, though somebody could. */
  | 'not recovered'
  /** A tick was claimed after a pause was confirmed, and ran before its end was asked for. */
  | 'pause lost'
  /** A tick was skipped as `paused` after the end of the pause was confirmed. */
  | 'pause invented'
  /** A trigger ran more than once, ran although it was said not to have, or the other way round. */
  | 'trigger'
  /** The latest tick was missed, somebody had to look for it, nothing stood in its way, and it was not run in time. */
  | 'not caught up'
  /** A tick was made up for although the job had never run. */
  | 'wrongly caught up'
  /** The event `missed` names a tick that was run. */
  | 'miss invented'
  /** The event `missed` names a cause that was not there, or does not name the one that was. */
  | 'miss misnamed';

export interface Violation {
  readonly kind: ViolationKind;
  readonly job: string;
  readonly text: string;
}

export interface Verdict {
  /** How many ticks were due in the judged time, of all jobs. */
  readonly ticks: number;
  /** How many of them were owed by some instance, whatever happened: the others could have gone missing unseen. */
  readonly owed: number;
  /** How many ticks of cron jobs nobody ran, whatever the reason. */
  readonly unrun: number;
  readonly runs: number;
  /** How many ticks of cron jobs were due while their job was certainly paused. */
  readonly paused: number;
  /** How many catch-ups were owed. */
  readonly catchUps: number;
  /** How many events `missed` were judged. */
  readonly reports: number;
  readonly violations: readonly Violation[];
}

/** Nodes and instances tell the time differently by a few milliseconds. */
const CLOCK_SLACK = 50;

/** All that is known of one job. */
export interface Case {
  readonly rule: JobRule;
  readonly runs: readonly JudgedRun[];
  readonly dark: readonly DarkClaim[];
  readonly calls: readonly Call[];
  readonly pauses: Pauses;
  readonly operations: readonly Operation[];
  readonly skips: readonly Skip[];
  readonly reports: readonly MissedReport[];
  readonly lives: ReadonlyMap<string, InstanceLife>;
  readonly conditions: Conditions;
}

/** Says what in a history goes against the promise. Timing apart, nothing is forgiven. */
export function judge(history: History, conditions: Conditions): Verdict {
  const lives = new Map(conditions.instances.map((life) => [life.name, life]));
  const cases = conditions.jobs.map((rule) => caseOf(rule, history, lives, conditions));
  const missed = cases.map((each) => (each.rule.kind === 'cron' ? missedTicks(each) : missedIntervals(each)));
  const caughtUp = cases.map((each) => owedCatchUps(each));
  return {
    ticks: sum(missed.map(({ ticks }) => ticks)),
    owed: sum(missed.map(({ owed }) => owed)),
    unrun: sum(missed.map(({ unrun }) => unrun)),
    runs: sum(cases.map(({ runs }) => runs.length)),
    paused: sum(missed.map(({ paused }) => paused)),
    catchUps: sum(caughtUp.map(({ owed }) => owed)),
    reports: sum(cases.map(({ reports }) => reports.length)),
    violations: cases.flatMap((each, index) => [
      ...duplicates(each),
      ...overlaps(each),
      ...outOfOrder(each),
      ...tooEarly(each),
      ...(missed[index]?.violations ?? []),
      ...notRecovered(each),
      ...lostPauses(each),
      ...inventedPauses(each),
      ...wrongTriggers(each),
      ...(caughtUp[index]?.violations ?? []),
      ...wronglyCaughtUp(each),
      ...invented(each),
      ...misnamed(each),
    ]),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function caseOf(
  rule: JobRule,
  history: History,
  lives: ReadonlyMap<string, InstanceLife>,
  conditions: Conditions,
): Case {
  const isOfJob = ({ job }: { readonly job: string }): boolean => job === rule.name;
  const calls = history.calls.filter(isOfJob);
  const operations = history.operations.filter(isOfJob);
  const runs = history.runs.filter(isOfJob).map((run) => {
    const life = lives.get(run.instance);
    if (!life) throw new Error(`Nothing is known of instance ${run.instance}`);
    return judgedRun(run, calls, rule, life, conditions);
  });
  return {
    rule,
    runs,
    dark: darkClaims(history, rule, lives, conditions),
    calls,
    pauses: new Pauses(operations, lives),
    operations,
    skips: history.skips.filter(isOfJob),
    reports: history.reports.filter(isOfJob),
    lives,
    conditions,
  };
}

function duplicates({ rule, runs }: Case): Violation[] {
  const last = new Map<number, JudgedRun>();
  const violations: Violation[] = [];
  for (const run of runs) {
    if (run.tick === null) continue;
    const first = last.get(run.tick);
    const isRecovery = first?.recover && run.recover && !first.settled && first.over <= run.start;
    if (first && !isRecovery) {
      violations.push({ kind: 'duplicate', job: rule.name, text: `${shown(first)}, then ${shown(run)}` });
    }
    last.set(run.tick, run);
  }
  return violations;
}

function overlaps({ rule, runs }: Case): Violation[] {
  return runs.flatMap((run, index) =>
    runs
      .slice(index + 1)
      .filter(({ start }) => start < run.over)
      .map((other) => ({
        kind: 'overlap' as const,
        job: rule.name,
        text: `${shown(run)} went on until ${run.over.toFixed(0)}, ${shown(other)}`,
      })),
  );
}

function outOfOrder({ rule, runs }: Case): Violation[] {
  let newest: JudgedRun | undefined;
  const violations: Violation[] = [];
  const settled = runs.filter(({ settled: isSettled }) => isSettled).toSorted((a, b) => a.over - b.over);
  for (const run of runs) {
    for (let next = settled[0]; next && next.over < run.start; next = settled[0]) {
      if ((next.tick ?? 0) >= (newest?.tick ?? 0)) newest = next;
      settled.shift();
    }
    if (newest && run.tick !== null && run.tick < (newest.tick ?? 0)) {
      violations.push({ kind: 'order', job: rule.name, text: `${shown(run)}, after ${shown(newest)}` });
    }
  }
  return violations;
}

function tooEarly({ rule, runs, conditions }: Case): Violation[] {
  const scheduled = runs.filter(({ trigger }) => trigger !== 'manual');
  // Nodes keep an interval from the claim on, and not from the start.
  const isTooEarly = (run: JudgedRun, index: number): boolean => {
    if (rule.kind === 'cron') {
      return run.tick === null || run.start < run.tick - conditions.epoch - EARLY_CLAIM - CLOCK_SLACK;
    }
    const before = scheduled[index - 1];
    return before !== undefined && run.start - before.claimed < rule.period * 0.9 - CLOCK_SLACK;
  };
  return scheduled.filter(isTooEarly).map((run) => ({ kind: 'early', job: rule.name, text: shown(run) }));
}

/** A run in a sentence. */
export function shown({ tick, id, instance, start }: JudgedRun): string {
  const what = tick === null ? '' : `tick ${new Date(tick).toISOString().slice(11, 19)} `;
  return `${what}started at ${start.toFixed(0)} as ${id} on ${instance}`;
}
