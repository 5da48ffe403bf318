import {
  aheadDuring,
  evenPhases,
  hasPromptQuorum,
  type InstanceLife,
  isUp,
  type Span,
  touches,
} from './conditions.js';
import type { MissedReport } from './history.js';
import type { Case, Violation } from './judge.js';
import { EARLY_CLAIM, type JudgedRun } from './judged-run.js';

/** How exactly moments are known, in milliseconds. */
const BLUR = 100;
/** How long before and after a tick is due instances may claim it whose clocks are off by a little less, in milliseconds. */
const LAG = 3000;
/** How long around its start an instance that recovers may hold locks to look for begun ticks, in milliseconds. */
const LOOK = 1500;

/** The reports on ticks that had been run, and settled, when the next one was claimed. */
export function invented(of: Case): Violation[] {
  return of.reports.flatMap((report) => {
    const next = runAfter(report, of);
    const run = of.runs.find(
      ({ tick, settled, busyUntil }) =>
        tick !== null &&
        tick >= report.from &&
        tick <= report.to &&
        settled &&
        next !== undefined &&
        busyUntil < next.claimedAfter,
    );
    return run
      ? [{ kind: 'miss invented' as const, job: of.rule.name, text: `${shown(report)}, but ${run.id} ran` }]
      : [];
  });
}

/** The reports that name a cause that was not there, or not the pause that was. */
export function misnamed(of: Case): Violation[] {
  return of.reports
    .filter((report) => !isPossible(report, of) || (hasNoReason(report, of) && wasPaused(report, of)))
    .map((report) => ({ kind: 'miss misnamed', job: of.rule.name, text: shown(report) }));
}

/** Whether no reason is named for which the instance did not run the ticks itself. */
function hasNoReason(report: MissedReport, of: Case): boolean {
  const { cause, from, to } = report;
  if (cause === 'died') return !mayHaveBegun(report, of);
  // In a pause, an operator may run the job: a node that missed the pause then reports that run.
  if (cause !== 'overlap') return cause === 'unknown';
  const claimed = { from: from - of.conditions.epoch - LAG, until: to - of.conditions.epoch + LAG };
  const next = runAfter(report, of);
  return !of.runs.some((run) => run !== next && run.tick === null && touches(recorded(run, of), claimed));
}

/** Whether an instance may have begun to make up for the ticks when it was killed or suspended. */
function mayHaveBegun({ from, at }: MissedReport, { rule, dark, conditions }: Case): boolean {
  const missed = { from: from - conditions.epoch, until: at };
  return rule.catchesUp && dark.some((claim) => claim.tick === null && touches(claim, missed));
}

function isPossible(report: MissedReport, of: Case): boolean {
  const { runs, dark, pauses, lives, conditions } = of;
  const { instance, at, cause } = report;
  const span = { from: report.from - conditions.epoch - EARLY_CLAIM - BLUR, until: at };
  const next = runAfter(report, of);
  const isDark = dark.some((claim) => touches(claim, span));
  switch (cause) {
    case 'paused': {
      // When a pause began and ended is told by the clocks of the instances that wrote it, which may be ahead.
      const leads = [...lives.values()].map((life) => leadOf(life, { from: 0, until: at }));
      return pauses.during({ from: span.from - Math.max(0, ...leads), until: at }) !== 'running';
    }
    case 'overlap':
      return (
        isDark ||
        isLookedFor(report, of) ||
        runs.some((run) => run !== next && touches(recorded(run, of), span))
      );
    case 'died':
      return isDark || runs.some((run) => run !== next && !run.settled && run.claimed < at);
    case 'store-down': {
      const life = lives.get(instance);
      const seen = life ? { from: span.from - leadOf(life, span), until: at } : span;
      return (
        !hasPromptQuorum(conditions, seen) ||
        (life?.pauses ?? []).some((pause) => touches(pause, seen)) ||
        (conditions.crowds ?? []).some((crowd) => touches(crowd, seen))
      );
    }
    default:
      return true;
  }
}

/**
 * Whether, at each of the ticks, an instance may have looked for others to take over: such a claim can hold the lock until
 * it is given up.
 */
function isLookedFor({ from, to }: MissedReport, { rule, lives, conditions }: Case): boolean {
  const starts = [...lives.values()].flatMap(({ up, recovering }) =>
    recovering.includes(rule.name) ? [up.from] : [],
  );
  for (let tick = from; tick <= to; tick += rule.period) {
    const due = tick - conditions.epoch;
    if (!starts.some((start) => Math.abs(start - due) <= LOOK)) return false;
  }
  return true;
}

/** How much earlier than the tick was due an instance whose clock is ahead has found that no quorum votes. */
function leadOf(life: InstanceLife, { from, until }: Span): number {
  const [, most] = aheadDuring(life, { from: from - LAG, until });
  return Math.max(most, 0);
}

/** Whether the instance was there when a tick was due that was paused without a doubt, and so must know. */
function wasPaused(report: MissedReport, of: Case): boolean {
  const { rule, runs, pauses, lives, conditions } = of;
  const life = lives.get(report.instance);
  const next = runAfter(report, of);
  if (!life || !next) return false;
  for (let tick = report.from; tick <= report.to; tick += rule.period) {
    const due = tick - conditions.epoch;
    const span = { from: due - LAG, until: due + LAG };
    const there = { from: span.from - rule.period, until: Math.max(report.at, span.until) };
    const phase = evenPhases(life).find((each) => each.from < there.from && there.until < each.until);
    const isKnown =
      phase !== undefined &&
      Math.abs(phase.ahead) < LAG - BLUR &&
      isUp(life, there) &&
      // It forgets what it has skipped when it wins.
      !runs.some(
        (run) =>
          run !== next &&
          run.instance === life.name &&
          run.tick !== null &&
          touches(recorded(run, of), there),
      );
    if (isKnown && pauses.during(span) === 'paused') return true;
  }
  return false;
}

/** When a run held the lock, by any of the clocks that tell. */
function recorded(run: JudgedRun, { lives }: Case): Span {
  const { claimedAfter, busyUntil, over } = run;
  const until = Math.max(busyUntil, over);
  const life = lives.get(run.instance);
  const [least, most] = life ? aheadDuring(life, { from: claimedAfter, until }) : [0, 0];
  return { from: claimedAfter + Math.min(least, 0), until: until + Math.max(most, 0) };
}

/** The run whose claim showed that the ticks were missed. */
function runAfter({ instance, to, at }: MissedReport, { runs }: Case): JudgedRun | undefined {
  return runs.findLast(
    (run) => run.instance === instance && run.tick !== null && run.tick > to && run.start <= at + BLUR,
  );
}

function shown({ instance, from, to, cause, at }: MissedReport): string {
  return `${timeOf(from)} to ${timeOf(to)} as ${cause}, by ${instance} at ${at.toFixed(0)}`;
}

function timeOf(tick: number): string {
  return new Date(tick).toISOString().slice(11, 19);
}
