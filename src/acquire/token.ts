import { randomBytes } from 'node:crypto';

/**
 * What started a run. `'call'`: a plain call, or a call after the first one in a firing, unless `trigger` began that
 * firing.
 */
export type Trigger = 'schedule' | 'recover' | 'catch-up' | 'manual' | 'call';

/**
 * The tick whose run this is; `undefined` if it has none. A later call in a firing has the tick of that firing, too:
 * inside a run of another job, that is the tick of the other job, so it does not count.
 */
export function ownTick<Time>({
  tick,
  trigger,
}: {
  readonly tick?: Time;
  readonly trigger: Trigger;
}): Time | undefined {
  return trigger === 'call' ? undefined : tick;
}

/** The run that a claim is for, as its token describes it. Times are in milliseconds since the epoch. */
export interface ClaimedRun {
  readonly runId: string;
  readonly trigger: Trigger;
  /** When the call was made, by the clock of its instance: before any wait of its claim, such as for `spread`. */
  readonly calledAt: number;
  /** The nominal time of the tick, if there is one. */
  readonly tick: number | undefined;
}

/** A run, and the instance that claimed it. */
export interface TokenContent extends ClaimedRun {
  readonly instanceId: string;
}

const TRIGGERS: readonly Trigger[] = ['schedule', 'recover', 'catch-up', 'manual', 'call'];

const RADIX = 36;
let made = 0;
let start: string | undefined;

/**
 * A unique id. Random bytes alone are not enough: two processes that are restored from one memory snapshot draw the
 * same ones. They differ in the time of the draw, in nanoseconds, and usually in their process id.
 */
export function uniqueId(): string {
  start ??= randomBytes(4).toString('hex');
  return `${start}.${process.pid}.${process.hrtime.bigint().toString(RADIX)}.${(++made).toString(RADIX)}`;
}

/** Creates the tokens of claims: each is unique, and names its instance and its run. */
export type TokenSource = (run?: string) => string;

/** @param instanceId The name of the instance. */
export function tokensOf(instanceId: string): TokenSource {
  // A claim that is repeated needs a new token: the release of an earlier attempt may still be on its way.
  return (run = uniqueId()) => `${instanceId}#${run}/${(++made).toString(RADIX)}`;
}

/**
 * Whether `token` is that of an earlier attempt of the same claim: it may still hold the lock if its answers and
 * releases got lost. A later attempt must not be released: it may have won before the answer to this one arrived.
 */
export function isEarlierAttempt(token: string | undefined, current: string): boolean {
  const end = current.lastIndexOf('/') + 1;
  if (!token || end === 0 || token.lastIndexOf('/') + 1 !== end) return false;
  return token.startsWith(current.slice(0, end)) && attemptOf(token, end) < attemptOf(current, end);
}

function attemptOf(token: string, end: number): number {
  return Number.parseInt(token.slice(end), RADIX);
}

/** What a token says about a run. Times are decimal: operators read them, and V8 writes them faster. */
export function describeRun({ runId, trigger, calledAt, tick }: ClaimedRun): string {
  return `${runId}/${TRIGGERS.indexOf(trigger)}/${calledAt}/${tick ?? ''}`;
}

/** The instance that created a token; empty for a token from another package. */
export function instanceOf(token: string): string {
  return token.slice(0, Math.max(token.lastIndexOf('#'), 0));
}

/** What a token says; `undefined` if it is not that of a run. */
export function contentOf(token: string): TokenContent | undefined {
  const [runId, trigger, calledAt, tick, attempt] = token.slice(token.lastIndexOf('#') + 1).split('/');
  const found = TRIGGERS[Number(trigger)];
  if (!runId || !found || !calledAt || attempt === undefined) return undefined;
  if (Number.isNaN(Number(calledAt)) || Number.isNaN(Number(tick))) return undefined;
  return {
    instanceId: instanceOf(token),
    runId,
    trigger: found,
    calledAt: Number(calledAt),
    tick: tick ? Number(tick) : undefined,
  };
}
