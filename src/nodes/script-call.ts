import type { Claim, Refusal, TickClaim, Vote } from './lock-node.js';
import { CLAIM, FREE, type Script } from './scripts.js';

/** What the script of a claim returns. */
export type ClaimReply =
  | 1
  | ['granted', string]
  | ['unbegun']
  | ['settled' | 'early', number]
  | [Refusal['vote'], string, number, number];

/** What a claim or an extension returns that comes later than it is waited for: what the clock of the server says. */
export type LateReply = ['late', number];

export function isLate(reply: unknown): reply is LateReply {
  return Array.isArray(reply) && reply[0] === 'late';
}

/** Whether it is for a lock alone. */
export function isPlain({ tick, every }: Claim): boolean {
  return !tick && !every;
}

/** What the reply to a claim means. */
export function voteOf(reply: ClaimReply): Vote {
  if (reply === 1) return GRANTED;
  const [vote, detail, lease, rank] = reply;
  switch (vote) {
    case 'granted':
      return { vote, dead: detail };
    case 'unbegun':
      return { vote };
    case 'settled':
      return detail > 0 ? { vote, ahead: detail } : { vote };
    case 'early':
      return { vote, wait: detail };
    default:
  }
  return { vote, holder: detail, lease: lease > 0 ? lease : undefined, rank: rank > 0 ? rank : undefined };
}

const GRANTED: Vote = { vote: 'granted' };

/**
 * How many keys, the keys, and the arguments of a script.
 *
 * @param deadline Until when to carry it out, by the clock of the server; 0: at any time.
 */
export function argumentsOf(
  script: Script,
  { lock, tick, every, late, mayOverlap }: Claim,
  token: string,
  ttl: number,
  deadline: number,
): [number, ...(string | number)[]] {
  if (script === FREE) return [1, lock, token];
  const keys = [lock];
  if (tick) keys.push(tick.key, tick.last);
  if (every) keys.push(every.key);
  const counter = script === CLAIM ? late : undefined;
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
  ];
}

function modeOf({ recover, isTakeover, mustBeBegun }: TickClaim): 0 | 1 | 2 | 3 {
  if (isTakeover) return mustBeBegun ? 3 : 2;
  return recover ? 1 : 0;
}
