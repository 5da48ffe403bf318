import {
  type Conditions,
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
/** How soon a suspended process that goes on must notice that its lease has ended. */
const NOTICE_TIME = 1000;
/** How far ahead of its time a tick may be claimed. */
export const EARLY_CLAIM = 500;

/** A run, with what the conditions say of it. Moments in milliseconds on the monotonic clock. */
export interface JudgedRun extends Run {
  /** From when on its lock can have stood in the way of others: from its claim, as far as the calls are known. */
  readonly claimed: number;
  /** When it stopped to be a run that nobody may overlap. */
  readonly over: number;
  /** Whether it was run to its end, and that could be written down. */
  readonly settled: boolean;
  /** Until when its lock can have stood in the way of others. */
  readonly busyUntil: number;
}

/** A time in which a claim that nobody wrote down can have held the lock of a job. */
export interface DarkClaim extends Span {
  readonly tick: number | null;
  readonly instance: string;
  /** When its instance was killed; `undefined` where it was suspended. */
  readonly killedAt: number | undefined;
}

export function judgedRun(
  run: Run,
  calls: readonly Call[],
  rule: JobRule,
  life: InstanceLife,
  conditions: Conditions,
): JudgedRun {
  const stop = Math.min(run.end ?? Infinity, run.aborted ?? Infinity, life.goneAt);
  const suspended = suspendedAt(run, stop, rule, life, conditions);
  const over = Math.min(stop, suspended);
  const settling = { from: over, until: over + 2 * SETTLE_TIME };
  const settled =
    run.end === over &&
    life.goneAt > over + (life.killed ? SETTLE_TIME : 0) &&
    !life.pauses.some((pause) => touches(pause, settling)) &&
    hasQuorum(conditions, settling);
  // An instance whose clock was set can come to a tick a second time while it runs it.
  const call = calls.findLast(
    (each) =>
      each.instance === run.instance &&
      each.tick === run.tick &&
      each.at <= run.start &&
      (each.over ?? Infinity) >= (run.end ?? run.start),
  );
  // A call is over when its run is settled: where that is known, nothing is left to guess.
  const busyUntil = settled ? (call?.over ?? over + SETTLE_TIME) : over + lockAfterlife(rule);
  return { ...run, over, settled, claimed: claimedAt(run, call, conditions.epoch), busyUntil };
}

/** A busy machine and slow nodes can put some time between a claim and the start of its run. */
function claimedAt({ start, tick }: Run, call: Call | undefined, epoch: number): number {
  if (!call) return start;
  return tick === null ? call.at : Math.min(Math.max(call.at, tick - epoch - EARLY_CLAIM), start);
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
      (until - from >= rule.ttl / 2 || !hasQuorum(conditions, { from: run.start, until })),
  );
  return pause?.from ?? Infinity;
}

/** For how long the lock of a run that settled nothing can go on. */
function lockAfterlife({ ttl, recover }: JobRule): number {
  return ttl + (recover ? TAKEOVER : 0) + SETTLE_TIME;
}

/** The claims that were in flight when their instance was killed or suspended: what became of them, nobody knows. */
export function darkClaims(
  { calls, runs }: History,
  rule: JobRule,
  lives: ReadonlyMap<string, InstanceLife>,
  epoch: number,
): DarkClaim[] {
  return calls
    .filter(({ job }) => job === rule.name)
    .flatMap((call) => {
      const life = lives.get(call.instance);
      if (!life) return [];
      const killedAt = life.killed ? life.goneAt : Infinity;
      // The moment at which it was cut off.
      const cut = Math.min(killedAt, life.pauses.find((pause) => pause.until > call.at)?.from ?? Infinity);
      const from = call.tick === null ? call.at : Math.max(call.at, call.tick - epoch - EARLY_CLAIM);
      if (cut >= (call.over ?? Infinity) || cut === Infinity || cut < from - SETTLE_TIME) return [];
      if (runs.some((run) => isRunOf(run, call) && run.start < cut)) return [];
      const { tick, instance } = call;
      const until = cut + lockAfterlife(rule);
      return [{ from, until, tick, instance, killedAt: cut === killedAt ? killedAt : undefined }];
    });
}

function isRunOf(run: Run, call: Call): boolean {
  return (
    run.job === call.job && run.instance === call.instance && run.tick === call.tick && run.start >= call.at
  );
}
