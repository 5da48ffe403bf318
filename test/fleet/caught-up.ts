import {
  aheadDuring,
  evenPhases,
  hasPromptQuorum,
  type InstanceLife,
  isUp,
  type Span,
  touches,
} from './conditions.js';
import { type Case, shown, type Violation } from './judge.js';
import type { JudgedRun } from './judged-run.js';

/** How soon a missed tick must be run once an instance has to look for it, and what a busy machine may add. */
const CATCH_UP_TIME = 2000 + 500;
/** How long before it is known to be ready an instance may have looked. */
const START_TIME = 1000;
/** How much earlier than the conditions say the nodes may have been back, in milliseconds. */
const BACK_EARLY = 2600;
/** How exactly moments are known, in milliseconds. */
const BLUR = 100;

/** A moment from which on an instance has to look for a missed tick. */
interface Occasion {
  readonly life: InstanceLife;
  /** From when on it may have looked. */
  readonly from: number;
  /** From when on nothing may stand in its way. */
  readonly clear: number;
  /** When it must have run the tick. */
  readonly until: number;
  readonly why: string;
}

interface CatchUps {
  readonly owed: number;
  readonly violations: Violation[];
}

/** The ticks that had to be made up for, and were not. */
export function owedCatchUps(of: Case): CatchUps {
  const { rule, runs, conditions } = of;
  if (!rule.catchesUp) return { owed: 0, violations: [] };
  const late = new Map<number, string>();
  const owed = new Set<number>();
  for (const occasion of occasionsOf(of)) {
    if (occasion.from < conditions.window.from || occasion.until > conditions.window.until) continue;
    const tick = missedTick(occasion, of);
    if (tick === undefined) continue;
    owed.add(tick);
    if (runs.some((run) => run.tick === tick && run.start < occasion.until)) continue;
    late.set(
      tick,
      `tick ${new Date(tick).toISOString().slice(11, 19)}, owed by ${occasion.life.name} from ` +
        `${occasion.clear.toFixed(0)} to ${occasion.until.toFixed(0)}, because ${occasion.why}`,
    );
  }
  const violations = [...late.values()].map((text) => ({
    kind: 'not caught up' as const,
    job: rule.name,
    text,
  }));
  return { owed: owed.size, violations };
}

/** The catch-ups of a job that had never run before. */
export function wronglyCaughtUp({ rule, runs }: Case): Violation[] {
  return runs
    .filter((run) => run.trigger === 'catch-up')
    .filter(
      (run) => !rule.catchesUp || !runs.some((before) => before.tick !== null && before.start < run.start),
    )
    .map((run) => ({ kind: 'wrongly caught up', job: rule.name, text: shown(run) }));
}

function occasionsOf(of: Case): Occasion[] {
  return [...starts(of), ...returnsOfNodes(of), ...endsOfPauses(of)];
}

function starts({ conditions }: Case): Occasion[] {
  return conditions.instances.map((life) => {
    const ready = life.up.from;
    const from = ready - START_TIME;
    return { life, from, clear: from, until: ready + CATCH_UP_TIME, why: 'it started' };
  });
}

/** Instances that could not reach the nodes, and know it. */
function returnsOfNodes({ skips, lives, conditions }: Case): Occasion[] {
  return skips.flatMap(({ reason, instance, at }) => {
    const life = lives.get(instance);
    if (reason !== 'store-down' || !life) return [];
    const ends = [at, ...conditions.nodeFaults.map(({ until }) => until)].filter((end) => end >= at);
    const back = ends
      .toSorted((a, b) => a - b)
      .find((end) => hasPromptQuorum(conditions, { from: end, until: end + CATCH_UP_TIME }));
    // From when it knew on, it must have been there.
    if (back === undefined || !isUp(life, { from: at, until: back })) return [];
    const from = Math.max(at, back - BACK_EARLY);
    return [{ life, from, clear: back, until: back + CATCH_UP_TIME, why: 'the nodes were back' }];
  });
}

function endsOfPauses({ operations, lives }: Case): Occasion[] {
  return operations.flatMap(({ kind, outcome, instance, asked, answered, for: duration }) => {
    const life = lives.get(instance);
    if (outcome !== 'done' || !life || answered === undefined) return [];
    if (kind === 'resume') {
      const until = answered + CATCH_UP_TIME;
      return [{ life, from: asked, clear: answered, until, why: 'it resumed the job' }];
    }
    if (duration === undefined) return [];
    const [, most] = aheadDuring(life, { from: asked, until: answered });
    // If its clock is ahead of that of the nodes, it looks before the pause has ended there, and again much later.
    const isEven = evenPhases(life).some((phase) => phase.from < asked && phase.until > answered + duration);
    if (most > 0 || !isEven) return [];
    const from = asked + duration;
    const clear = answered + duration + BLUR;
    if (!isUp(life, { from: asked, until: clear })) return [];
    return [{ life, from, clear, until: clear + CATCH_UP_TIME, why: 'its pause ended' }];
  });
}

/** The tick that was the latest one to an instance, had to be made up for, and could be; `undefined` if there is none. */
function missedTick(occasion: Occasion, of: Case): number | undefined {
  const { dark, pauses, conditions } = of;
  const { life, from, clear, until } = occasion;
  const span = { from: from - BLUR, until: until + BLUR };
  const clearly = { from: clear, until };
  const phase = evenPhases(life).find((each) => each.from < span.from && span.until < each.until);
  if (!phase || !isUp(life, { from: Math.max(span.from, life.up.from), until: span.until })) return undefined;
  const latest = latestTick(span.from + phase.ahead, of);
  if (latest !== latestTick(span.until + phase.ahead, of)) return undefined;
  const due = latest - conditions.epoch;
  const isHindered =
    due > span.from ||
    pauses.during(clearly) !== 'running' ||
    !hasPromptQuorum(conditions, clearly) ||
    (conditions.crowds ?? []).some((crowd) => touches(crowd, span)) ||
    dark.some((claim) => claim.tick === latest || touches(claim, span));
  return isHindered || !isMissed(latest, due, span, of) ? undefined : latest;
}

function latestTick(time: number, { rule, conditions }: Case): number {
  return Math.floor((time + conditions.epoch) / rule.period) * rule.period;
}

/** Whether the job had run before, no newer tick was run, and no run was in the way then or now. */
function isMissed(tick: number, due: number, span: Span, { runs, lives }: Case): boolean {
  const others = runs.filter((run) => run.tick !== tick);
  const isOverlapped = (run: JudgedRun): boolean => {
    const { start, over } = run;
    const life = lives.get(run.instance);
    if (!life) return true;
    // A record has the time of the clock of its instance.
    const [least, most] = aheadDuring(life, { from: start, until: over });
    return start + Math.min(least, 0) - BLUR <= due && due <= over + Math.max(most, 0) + BLUR;
  };
  return (
    others.some((run) => run.settled && run.tick !== null && run.tick < tick && run.busyUntil < span.from) &&
    !others.some(
      (run) =>
        touches({ from: run.claimedAfter, until: Math.max(run.busyUntil, run.over) }, span) ||
        (run.tick !== null && run.tick > tick && run.start < span.until) ||
        isOverlapped(run),
    )
  );
}
