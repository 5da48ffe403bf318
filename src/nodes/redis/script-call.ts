import type { JobView, Pause } from '../job-view.js';
import type { Claim, Conflict, TickClaim, Vote } from '../lock-node.js';
import { CLAIM, PAUSED, RELEASE_LOCK, RESUMED, type Script } from './scripts.js';

/** The reply to a claim or an extension that reached the server after its deadline: the server's time. */
type ExpiredReply = ['late', number];

/** A reply that none of our scripts returns, for example from a proxy. */
class UnknownReply extends Error {
  constructor(reply: unknown) {
    super(`it answers a script with ${JSON.stringify(reply)?.slice(0, 100)}, which is not a valid reply`);
  }
}

export function isExpired(reply: unknown): reply is ExpiredReply {
  return Array.isArray(reply) && reply[0] === 'late' && typeof reply[1] === 'number';
}

/** Whether it claims nothing but a lock. */
export function isLockOnly({ tick, every, pause, history }: Claim): boolean {
  return !tick && !every && pause === undefined && !history;
}

/** The vote in the reply to a claim. Throws for an unknown reply. */
export function voteOf(reply: unknown): Vote {
  if (reply === 1) return GRANTED;
  const [kind, ...fields] = (Array.isArray(reply) ? reply : []) as unknown[];
  if (typeof kind === 'number') return { kind: 'granted', last: kind };
  if (kind === 'unbegun' || kind === 'paused') return { kind };
  if (kind === 'granted') {
    const [dead, last, unfinished] = fields;
    if (typeof dead === 'string' && typeof last === 'number' && typeof unfinished === 'string') {
      return { kind, dead: dead || undefined, last: last || undefined, unfinished: unfinished || undefined };
    }
  }
  if (kind === 'settled' || kind === 'early') {
    const [time] = fields;
    if (typeof time === 'number') {
      if (kind === 'early') return { kind, wait: time };
      return time > 0 ? { kind, ahead: time } : { kind };
    }
  }
  if (isConflict(kind)) {
    const [holder, lease, rank] = fields;
    if (typeof holder === 'string' && typeof lease === 'number' && typeof rank === 'number') {
      return { kind, holder, lease: lease > 0 ? lease : undefined, rank: rank > 0 ? rank : undefined };
    }
  }
  throw new UnknownReply(reply);
}

/** What a reply of 1 (yes) or 0 (no) says. Throws for an unknown reply. */
export function yesOrNo(reply: unknown): boolean {
  if (reply === 1 || reply === 0) return reply === 1;
  throw new UnknownReply(reply);
}

/** What became of a settle or a release. */
interface Ended {
  readonly isHeld: boolean;
  /** Why the record of the run could not be written, although its tick is settled. */
  readonly unrecorded?: Error;
}

/** The reply to a script that settles or releases. */
export function endedOf(reply: unknown): Ended {
  if (!Array.isArray(reply)) return { isHeld: yesOrNo(reply) };
  return { isHeld: yesOrNo(reply[0]), unrecorded: new Error(String(reply[1])) };
}

const GRANTED: Vote = { kind: 'granted' };
const CONFLICTS: readonly unknown[] = ['elsewhere', 'overlap', 'ran'] satisfies Conflict['kind'][];

function isConflict(kind: unknown): kind is Conflict['kind'] {
  return CONFLICTS.includes(kind);
}

/**
 * The number of keys, the keys, and the arguments of a script.
 *
 * @param deadline The latest time to execute it, by the server's clock; 0: at any time.
 * @param record For a settle: what to put on record.
 */
export function argumentsOf(
  script: Script,
  { lock, tick, every, pause, history, loserCounter, mayOverlap }: Claim,
  token: string,
  ttl: number,
  deadline: number,
  record?: string,
): [number, ...(string | number)[]] {
  if (script === RELEASE_LOCK) return [1, lock, token];
  const keys = [lock];
  if (tick) keys.push(tick.key, tick.last);
  if (every) keys.push(every.key);
  if (pause !== undefined) keys.push(pause);
  if (history) keys.push(history.records);
  if (history?.begun !== undefined) keys.push(history.begun);
  const counter = script === CLAIM ? loserCounter : undefined;
  if (counter) keys.push(counter.key);
  return [
    keys.length,
    ...keys,
    token,
    ttl,
    tick?.at ?? 0,
    tick?.keep ?? 0,
    tick ? modeOf(tick) : 0,
    every?.keep ?? 0,
    counter?.keep ?? 0,
    deadline,
    mayOverlap ? 1 : 0,
    pause === undefined ? 0 : 1,
    history?.limit ?? 0,
    history?.keep ?? 0,
    ...(record === undefined ? [] : [record]),
  ];
}

function modeOf({ recover, isTakeover, isBegunElsewhere }: TickClaim): 0 | 1 | 2 | 3 {
  if (isTakeover) return isBegunElsewhere ? 3 : 2;
  return recover ? 1 : 0;
}

/** A pause as it is stored: its state and version, when it ends, and its detail. */
export function storedPause({ isPaused, version, until = 0, detail }: Pause): string {
  return `${isPaused ? PAUSED : RESUMED}${version} ${until} ${detail}`;
}

/** What the reply to `LOOK` says about a job. Throws for an unknown reply. */
export function viewOf(reply: unknown): JobView {
  const [holder, last, begun, pause, records] = (Array.isArray(reply) ? reply : []) as unknown[];
  if (
    typeof holder !== 'string' ||
    typeof last !== 'number' ||
    typeof begun !== 'string' ||
    typeof pause !== 'string' ||
    !isListOfStrings(records)
  ) {
    throw new UnknownReply(reply);
  }
  return {
    holder: holder || undefined,
    last: last || undefined,
    begun: begun || undefined,
    pause: pauseOf(pause),
    records,
  };
}

/** Reads what `storedPause` returned; `undefined` for an empty string. Throws for anything else. */
export function pauseOf(stored: unknown): Pause | undefined {
  if (stored === '') return undefined;
  const parts = /^([PR])(\d+) (\d+) (.*)$/s.exec(typeof stored === 'string' ? stored : '');
  if (!parts) throw new UnknownReply(stored);
  const [, kind, version, until, detail = ''] = parts;
  return {
    isPaused: kind === PAUSED,
    version: Number(version),
    until: Number(until) || undefined,
    detail,
  };
}

/** The entries in the reply to `REGISTERED`. Throws for an unknown reply. */
export function entriesOf(reply: unknown): string[] {
  if (isListOfStrings(reply)) return reply;
  throw new UnknownReply(reply);
}

function isListOfStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
