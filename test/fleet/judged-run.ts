import {
  type Conditions,
  hasPromptQuorum,
  hasQuorum,
  type InstanceLife,
  type JobRule,
  type Span,
  touches,
} from './conditions.js';
import type { Call, History, Run } from './history.js';

/** How long a lock outlives its lease at most, when its tick can be taken over. */
export const TAKEOVER = 1000;
/** How long a settle may take until all nodes have it, while they answer. */
const SETTLE_TIME = 300;
/** And on forgotten connections: `nodeTimeout` of silence, a new connection, and once more. */
const SETTLE_AGAIN_TIME = 500 + 200 + SETTLE_TIME;
/** How soon a suspended process that goes on must notice that its lease has ended. */
const NOTICE_TIME = 1000;
/** How long a claim that was granted may take to be the start of a run. */
const CLAIM_TIME = 2000;
/** How far ahead of its time a tick may be claimed. */
export const EARLY_CLAIM = 500;

/** A run, with what the conditions say of it. Moments in milliseconds on the monotonic clock. */
export interface JudgedRun extends Run {
  /** Whether it was claimed with `recover`. */
  readonly recover: boolean;
  /** From when on its lock can have stood in the way of others: from its claim, as far as the calls are known. */
  readonly claimed: number;
  /** The earliest moment at which it can have been claimed. */
  readonly claimedAfter: number;
  /** When it stopped to be a run that nobody may overlap. */
  readonly over: number;
  /** Whether it was run to its end, and that could be written down. */
  readonly settled: boolean;
  /** When it was cut off so that others must run its tick again, if it was. */
  readonly cutOffAt: number | undefined;
  /** Until when its lock can have stood in the way of others. */
  readonly busyUntil: number;
}

/** A time in which a claim that nobody wrote down can have held the lock of a job. */
export interface DarkClaim extends Span {
  readonly tick: number | null;
  readonly instance: string;
  /** Whether it was made with `recover`. */
  readonly recover: boolean;
  /** When its instance was killed, while it was in flight; `undefined` where that is not how it ended. */
  readonly killedAt: number | undefined;
}

export function judgedRun(
  run: Run,
  calls: readonly Call[],
  rule: JobRule,
  life: InstanceLife,
  conditions: Conditions,
): JudgedRun {
  const recover = life.recovering.includes(rule.name);
  const stop = Math.min(run.end ?? Infinity, run.aborted ?? Infinity, life.goneAt);
  const suspended = suspendedAt(run, stop, rule, life, conditions);
  const over = Math.min(stop, suspended);
  const call = calls.find(({ id }) => id === run.call);
  const claimed = claimedAt(run, call, conditions.epoch);
  // Shutdown leaves such a tick to others, and its lock with it.
  const isLeft = recover && run.abortReason === 'ShutdownError';
  const isDead = life.killed && run.end === undefined && run.aborted === undefined;
  const cutOffAt = isLeft ? run.aborted : recover && isDead ? life.goneAt : undefined;
  const freedAt = isLeft ? undefined : givenBackAt(run, claimed, call, life, conditions);
  const afterlife = over + lockAfterlife(rule, recover);
  return {
    ...run,
    recover,
    claimed,
    claimedAfter: call && isCalled(run) ? claimed : claimedLongBefore(run, life, conditions.epoch),
    over,
    settled: freedAt !== undefined && run.end === over,
    cutOffAt,
    busyUntil: Math.min(freedAt ?? afterlife, afterlife),
  };
}

/** When the lock was free again after a run that came to its end, aborted or not; `undefined` where that is not certain. */
function givenBackAt(
  { end }: Run,
  claimed: number,
  call: Call | undefined,
  { goneAt, killed, pauses }: InstanceLife,
  conditions: Conditions,
): number | undefined {
  if (end === undefined) return undefined;
  // Connections that were forgotten before the claim have been made anew for it.
  const isPrompt = hasPromptQuorum(conditions, { from: claimed, until: end + SETTLE_TIME });
  const time = isPrompt ? SETTLE_TIME : SETTLE_AGAIN_TIME;
  const settling = { from: end, until: end + SETTLE_TIME + time };
  const isCertain =
    goneAt > end + (killed || !isPrompt ? time : 0) &&
    !pauses.some((pause) => touches(pause, settling)) &&
    hasQuorum(conditions, settling);
  if (!isCertain) return undefined;
  // A call is over when its run is settled, or when the nodes were silent: where that is known, nothing is left to guess.
  const known = call?.over ?? end + SETTLE_TIME;
  return isPrompt ? known : Math.max(known, end + time);
}

/** A busy machine and slow nodes can put some time between a claim and the start of its run. */
function claimedAt({ start, tick }: Run, call: Call | undefined, epoch: number): number {
  if (!call) return start;
  return tick === null ? call.at : Math.min(Math.max(call.at, tick - epoch - EARLY_CLAIM), start);
}

/** Whether its claim was made in its call. A catch-up and a takeover claim first, and then call. */
function isCalled({ trigger }: Run): boolean {
  return trigger !== 'catch-up' && trigger !== 'recover';
}

function claimedLongBefore({ start, tick }: Run, { pauses }: InstanceLife, epoch: number): number {
  let from = start - CLAIM_TIME;
  for (const pause of pauses.toReversed()) {
    if (touches(pause, { from, until: start })) from = pause.from - CLAIM_TIME;
  }
  return tick === null ? from : Math.max(from, tick - epoch - EARLY_CLAIM);
}

/**
 * When the instance was suspended for longer than its lease, if it was. Nobody can abort the signal of a process that
 * is suspended, but it must notice as soon as it goes on: a run that does not is no exception.
 */
function suspendedAt(
  run: Run,
  stop: number,
  rule: JobRule,
  { pauses }: InstanceLife,
  conditions: Conditions,
): number {
  const pause = pauses.find(
    ({ from, until }) =>
      from >= run.start &&
      from < stop &&
      stop <= until + NOTICE_TIME &&
      // Half a lease is left at any time, unless it could not be renewed.
      (until - from >= rule.ttl / 2 || !hasPromptQuorum(conditions, { from: run.start, until })),
  );
  return pause?.from ?? Infinity;
}

/** For how long the lock of a run that settled nothing can go on. */
function lockAfterlife({ ttl }: JobRule, recover: boolean): number {
  return ttl + (recover ? TAKEOVER : 0) + SETTLE_TIME;
}

/**
 * The claims that were in flight, or whose release was, when their instance was killed or suspended: what became of
 * them, nobody knows.
 */
export function darkClaims(
  history: History,
  rule: JobRule,
  lives: ReadonlyMap<string, InstanceLife>,
  conditions: Conditions,
): DarkClaim[] {
  const called = darkCalls(history, rule, lives, conditions);
  return rule.catchesUp ? [...called, ...darkCatchUps(rule, lives)] : called;
}

/** A catch-up is claimed before it is called, so that any instance may have claimed one when it was killed or suspended. */
function darkCatchUps(rule: JobRule, lives: ReadonlyMap<string, InstanceLife>): DarkClaim[] {
  return [...lives.values()].flatMap(({ name, pauses, killed, goneAt, recovering }) => {
    const recover = recovering.includes(rule.name);
    const cuts = [...pauses.map(({ from }) => from), ...(killed ? [goneAt] : [])];
    return cuts.map((cut) => ({
      from: cut - CLAIM_TIME,
      until: cut + lockAfterlife(rule, recover),
      tick: null,
      instance: name,
      recover,
      killedAt: undefined,
    }));
  });
}

function darkCalls(
  { calls, runs, skips }: History,
  rule: JobRule,
  lives: ReadonlyMap<string, InstanceLife>,
  conditions: Conditions,
): DarkClaim[] {
  return calls
    .filter(({ job }) => job === rule.name)
    .flatMap((call) => {
      const life = lives.get(call.instance);
      if (!life) return [];
      const killedAt = life.killed ? life.goneAt : Infinity;
      // The moment at which it was cut off.
      const cut = Math.min(killedAt, life.pauses.find((pause) => pause.until > call.at)?.from ?? Infinity);
      const from =
        call.tick === null ? call.at : Math.max(call.at, call.tick - conditions.epoch - EARLY_CLAIM);
      const over = call.over ?? Infinity;
      const isGivenUp =
        skips.some((skip) => skip.call === call.id && skip.reason === 'store-down') &&
        !hasPromptQuorum(conditions, { from, until: over });
      const isOver = isGivenUp ? isReleased(over, cut, conditions) : cut >= over;
      if (isOver || cut === Infinity || cut < from - SETTLE_TIME) return [];
      if (runs.some((run) => isRunOf(run, call) && run.start < cut)) return [];
      const { tick, instance } = call;
      const recover = life.recovering.includes(rule.name);
      const until = Math.min(cut, over) + lockAfterlife(rule, recover);
      // One that was given up may have been released after all.
      const diedWithIt = cut === killedAt && cut < over;
      return [{ from, until, tick, instance, recover, killedAt: diedWithIt ? killedAt : undefined }];
    });
}

/** Whether the nodes were well for long enough to be told of a claim, which no quorum had answered, before the cut. */
function isReleased(over: number, cut: number, conditions: Conditions): boolean {
  const beginnings = [over, ...conditions.nodeFaults.map(({ until }) => until)];
  return beginnings.some((from) => {
    const until = from + SETTLE_AGAIN_TIME;
    return from >= over && until <= cut && hasQuorum(conditions, { from, until });
  });
}

function isRunOf(run: Run, call: Call): boolean {
  return (
    run.job === call.job && run.instance === call.instance && run.tick === call.tick && run.start >= call.at
  );
}
