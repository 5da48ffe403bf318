import { hasPromptQuorum, touches } from './conditions.js';
import type { Operation } from './history.js';
import { type Case, shown, type Violation } from './judge.js';
import { EARLY_CLAIM, type JudgedRun } from './judged-run.js';

/** How long before it was skipped a call was made, where that is not known, in milliseconds. */
const CALL_TIME = 2000;
/** How exactly it is known when a lock is free, in milliseconds. */
const BLUR = 100;

/** The ticks that ran although their job was paused. */
export function lostPauses({ rule, runs, pauses }: Case): Violation[] {
  return runs
    .filter(({ trigger }) => trigger !== 'manual' && trigger !== 'call')
    .filter(({ claimedAfter, start }) => pauses.during({ from: claimedAfter, until: start }) === 'paused')
    .map((run) => ({ kind: 'pause lost', job: rule.name, text: shown(run) }));
}

/** The ticks that were skipped as `paused` although their job was not. */
export function inventedPauses({ rule, skips, calls, pauses, conditions }: Case): Violation[] {
  return skips.flatMap(({ reason, call: id, tick, instance, at }) => {
    if (reason !== 'paused') return [];
    const call = calls.find((each) => each.id === id)?.at ?? at - CALL_TIME;
    const from = tick === null ? call : Math.max(call, tick - conditions.epoch - EARLY_CLAIM - BLUR);
    if (pauses.during({ from, until: at }) !== 'running') return [];
    const text = `skipped at ${at.toFixed(0)} on ${instance}, claimed after ${from.toFixed(0)}`;
    return [{ kind: 'pause invented' as const, job: rule.name, text }];
  });
}

/** The triggers that did not do what they are for, or not what they said. */
export function wrongTriggers(of: Case): Violation[] {
  const { rule, runs, operations } = of;
  return operations
    .filter(({ kind }) => kind === 'trigger')
    .flatMap((trigger) => {
      const found = runs.filter(({ order }) => order === trigger.id);
      const fault = faultOf(trigger, found, of);
      const text = `${trigger.id} on ${trigger.instance}, asked at ${trigger.asked.toFixed(0)}, ${fault}`;
      return fault === undefined ? [] : [{ kind: 'trigger' as const, job: rule.name, text }];
    });
}

function faultOf(trigger: Operation, [run, ...others]: readonly JudgedRun[], of: Case): string | undefined {
  const { outcome } = trigger;
  if (others.length > 0) return 'ran more than once';
  if (run && (run.trigger !== 'manual' || run.tick !== null))
    return `ran as ${run.trigger} of tick ${run.tick}`;
  if (outcome === 'ran') return run ? undefined : 'ran nothing';
  if (run) return outcome === undefined ? undefined : `ran, and was said not to: ${outcome}`;
  return outcome === undefined || isRefusedRightly(trigger, of) ? undefined : `was refused: ${outcome}`;
}

/** Whether something stood in the way of a trigger that did not run. */
function isRefusedRightly(
  { asked, answered = Infinity, outcome, instance }: Operation,
  { runs, dark, lives, conditions }: Case,
): boolean {
  const span = { from: asked - BLUR, until: answered + BLUR };
  const life = lives.get(instance);
  switch (outcome) {
    case 'overlap':
      return (
        runs.some(({ claimed, busyUntil }) => touches({ from: claimed, until: busyUntil }, span)) ||
        dark.some((claim) => touches(claim, span))
      );
    case 'shutdown':
      return life !== undefined && life.up.until < span.until;
    case 'store-down':
    case 'overload':
      return (
        !hasPromptQuorum(conditions, span) ||
        life === undefined ||
        life.pauses.some((pause) => touches(pause, span)) ||
        (conditions.crowds ?? []).some((crowd) => touches(crowd, span))
      );
    default:
      return false;
  }
}
