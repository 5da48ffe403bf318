import {
  clockPhases,
  hasPromptQuorum,
  hasQuorum,
  type InstanceLife,
  isUp,
  type Span,
  touches,
} from './conditions.js';
import type { Case, Violation } from './judge.js';
import { type DarkClaim, EARLY_CLAIM, type JudgedRun, TAKEOVER } from './judged-run.js';

/** For how long before a tick an instance must have been well to owe it: its timer was set in that time. */
const BEFORE = 1200;
/** And for how long afterwards, with a quorum: that is what winning may take. */
const AFTER = 1000;
/** How exactly it is known when an instance claims, and when a lock is free. */
const BLUR = { before: 50, after: 100 };
/** How much longer a claim may take over a connection that was forgotten: `nodeTimeout` of silence, and a new one. */
const SENT_AGAIN = 500 + 200;
/** By how much later than its timer was set for an instance may call, on a busy machine: it claims that much later. */
const LATE_CALL = 250;
/** What a takeover may take in addition, on a busy machine. */
const RECOVERY_SLACK = 700;
/** How many ticks back an instance looks for begun ones at its start, and how long that may take, in milliseconds. */
const LOOK = { back: 9, time: 500 };

interface Missed {
  readonly ticks: number;
  readonly unrun: number;
  readonly owed: number;
  /** How many were due while the job was certainly paused. */
  readonly paused: number;
  readonly violations: Violation[];
}

/** The ticks that somebody owed, and nobody ran. */
export function missedTicks(of: Case): Missed {
  const { rule, runs, pauses, conditions } = of;
  const { window, epoch, instances } = conditions;
  const ran = new Set(runs.map(({ tick }) => tick));
  const callTimes = new Map(
    of.calls.toReversed().map(({ instance, tick, at }) => [`${instance} ${tick}`, at]),
  );
  const violations: Violation[] = [];
  let ticks = 0;
  let owed = 0;
  let unrun = 0;
  let paused = 0;
  const first = Math.ceil((window.from + epoch) / rule.period) * rule.period;
  for (let tick = first; tick < window.until + epoch; tick += rule.period) {
    ticks++;
    const debtor = instances.find((life) => owes(life, tick, callTimes.get(`${life.name} ${tick}`), of));
    if (debtor) owed++;
    const due = tick - epoch;
    const isPaused = pauses.during({ from: due, until: due }) === 'paused';
    if (isPaused) paused++;
    if (!ran.has(tick)) unrun++;
    if (!debtor || ran.has(tick)) continue;
    const text = `tick ${new Date(tick).toISOString().slice(11, 19)}, due at ${due.toFixed(0)}, owed by ${debtor.name}`;
    violations.push({ kind: 'missed', job: rule.name, text });
  }
  return { ticks, owed, unrun, paused, violations };
}

/**
 * Whether an instance was there for a tick at the time at which it is due for it, with nothing in its way.
 *
 * @param calledAt When it called the job for that tick, if that is known.
 */
function owes(
  life: InstanceLife,
  tick: number,
  calledAt: number | undefined,
  { rule, runs, dark, pauses, conditions }: Case,
): boolean {
  if (dark.some((claim) => claim.tick === tick)) return false;
  const due = tick - conditions.epoch;
  return clockPhases(life, rule.period).some(({ ahead, from, until }) => {
    const timer = due - ahead;
    const called = Math.min(Math.max(timer, calledAt ?? timer), timer + LATE_CALL);
    // Whoever comes too early waits until it is time.
    const claimed = called < due - EARLY_CLAIM ? due : called;
    const usual = { from: claimed, until: claimed + AFTER };
    const late = conditions.crowds?.filter((crowd) => touches(crowd, usual)) ?? [];
    const span = { from: timer - BEFORE, until: Math.max(usual.until, ...late.map((crowd) => crowd.until)) };
    const isPrompt = hasPromptQuorum(conditions, { from: span.from, until: claimed });
    const answered = claimed + BLUR.after + (isPrompt ? 0 : SENT_AGAIN);
    const claiming = { from: claimed - BLUR.before, until: answered };
    return (
      from <= span.from &&
      span.until <= until &&
      isUp(life, span) &&
      (late.length > 0 ? hasPromptQuorum : hasQuorum)(conditions, { from: claimed, until: span.until }) &&
      pauses.during({ from: claiming.from, until: span.until }) === 'running' &&
      !dark.some((claim) => touches(claim, claiming)) &&
      !runs.some(
        (run) =>
          run.tick !== tick &&
          // In the way, or newer already.
          (touches({ from: run.claimed, until: run.busyUntil }, claiming) ||
            (run.tick !== null && run.tick > tick && run.claimed < claiming.until)),
      )
    );
  });
}

/** The times in which an interval job could have been run, and was not. */
export function missedIntervals({ rule, runs, dark, pauses, conditions }: Case): Missed {
  const { window, instances } = conditions;
  const patience = 2 * rule.period + AFTER / 2;
  const isFree = (span: Span): boolean =>
    !runs.some((run) => touches({ from: run.claimed, until: run.busyUntil }, span)) &&
    !dark.some((claim) => touches(claim, span));
  const violations: Violation[] = [];
  let ticks = 0;
  let owed = 0;
  for (let from = window.from; from + patience < window.until; from += rule.period / 4) {
    const span = { from, until: from + patience };
    const debtor =
      hasQuorum(conditions, span) &&
      pauses.during({ from: from - rule.period, until: span.until }) === 'running' &&
      instances.find((life) => isUp(life, { from: from - rule.period, until: span.until }));
    ticks += 1 / 4;
    if (!debtor) continue;
    owed += 1 / 4;
    if (!isFree(span)) continue;
    const text = `not run from ${span.from.toFixed(0)} to ${span.until.toFixed(0)}, though ${debtor.name} was there`;
    violations.push({ kind: 'missed', job: rule.name, text });
    from = span.until;
  }
  return { ticks: Math.round(ticks), owed: Math.round(owed), unrun: 0, paused: 0, violations };
}

/** Whether a claim of an instance that was killed can have been granted: before it died, with nothing in its way. */
function canHaveWon({ killedAt, from, tick }: DarkClaim, runs: readonly JudgedRun[]): boolean {
  return (
    killedAt !== undefined &&
    killedAt >= from &&
    !runs.some((run) =>
      run.tick === tick
        ? run.start < from
        : // Once that run is over, the claim may have been given up, and so those of others.
          run.claimed <= from && Math.max(run.busyUntil, run.over) >= from,
    )
  );
}

/** A run that others had to take over. */
interface CutOff {
  readonly tick: number;
  readonly instance: string;
  readonly start: number;
  /** When it was cut off. */
  readonly at: number;
}

/** The ticks whose run was cut off, and which nobody ran again, though there was somebody. */
export function notRecovered(of: Case): Violation[] {
  const { rule, runs, pauses, conditions } = of;
  return cutOffRuns(of).flatMap((cutOff) => {
    const { tick, instance, start, at } = cutOff;
    const deadline = at + rule.ttl + TAKEOVER + RECOVERY_SLACK;
    const watched = { from: start - BEFORE, until: deadline };
    // A takeover is refused while the job is paused.
    if (pauses.during(watched) !== 'running') return [];
    const hasHeir = conditions.instances.some((life) => isHeir(life, cutOff, of, deadline));
    if (deadline > conditions.window.until || !hasHeir || !hasQuorum(conditions, watched)) return [];
    const isRecovered = runs.some(
      (run) => run.tick === tick && run.instance !== instance && run.start > start && run.start <= deadline,
    );
    const text = `tick ${new Date(tick).toISOString().slice(11, 19)}, which was cut off on ${instance} at ${at.toFixed(0)}`;
    return isRecovered ? [] : [{ kind: 'not recovered' as const, job: rule.name, text }];
  });
}

function cutOffRuns({ runs, dark, conditions }: Case): CutOff[] {
  const lost = dark.filter((claim) => claim.recover && canHaveWon(claim, runs));
  return [
    ...runs.map(({ cutOffAt, ...run }) => ({ ...run, at: cutOffAt })),
    ...lost.map(({ from, killedAt, ...claim }) => ({ ...claim, start: from, at: killedAt })),
  ].flatMap(({ tick, instance, start, at }) =>
    tick === null || at === undefined || at < conditions.window.from ? [] : [{ tick, instance, start, at }],
  );
}

/** Whether an instance is there to take a tick over until `deadline`, and knows that somebody else has begun it. */
function isHeir(
  life: InstanceLife,
  { tick, instance, start, at }: CutOff,
  { rule, conditions }: Case,
  deadline: number,
): boolean {
  if (life.name === instance || !life.recovering.includes(rule.name)) return false;
  const ready = life.up.from;
  return clockPhases(life, rule.period).some(({ ahead, from, until }) => {
    const called = tick - conditions.epoch - ahead;
    // It has come upon the tick while the first one ran it,
    const hasMet = called - BEFORE > ready && called < at + rule.ttl;
    // or has found it when it started. Half a lease is left then at any time; to a clock that is ahead, the latest ticks are
    // not due yet.
    const hasFound =
      ready - LOOK.time > Math.max(start, called) &&
      ready < called + LOOK.back * rule.period &&
      ready + Math.max(ahead - EARLY_CLAIM, 0) + LOOK.time < at + rule.ttl / 2;
    const span = { from: hasMet ? start - BEFORE : ready, until: deadline };
    return (hasMet || hasFound) && from <= span.from && span.until <= until && isUp(life, span);
  });
}
