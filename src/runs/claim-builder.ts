import { randomUUID } from 'node:crypto';
import { JobKeys } from '../nodes/job-keys.js';
import type { Claim } from '../nodes/lock-node.js';
import type { ResolvedJobOptions } from '../options/options.js';
import type { Tick } from '../schedule/cron-ticks.js';

/** What is known about the past of a tick: see `RunRequest.past`. */
export type Past = 'begun' | 'perhaps begun' | 'run here';

/** `every` is shortened by a tenth to allow for timer jitter, at most by this, in milliseconds. */
const EVERY_SLACK = 1000;
/** How long the losers of a claim are counted, in milliseconds. */
const LOSER_COUNTER_TTL = 10_000;

/** The claim for one call of a job. */
export function claimOf(
  keyPrefix: string,
  name: string,
  { overlap, recover, every: period }: ResolvedJobOptions,
  tick: Tick | undefined,
  past: Past | undefined,
): Claim {
  const keys = new JobKeys(keyPrefix, name);
  const mayOverlap = overlap === 'allow';
  const lock = mayOverlap ? keys.run(tick && past === undefined ? String(tick.at) : randomUUID()) : keys.lock;
  // The tick has already been won in this firing.
  if (past === 'run here') return { name, lock };
  const every = period && Math.ceil(period - Math.min(period / 10, EVERY_SLACK));
  const counted = tick ? LOSER_COUNTER_TTL : every && Math.min(every, LOSER_COUNTER_TTL);
  const isTakeover = past !== undefined;
  return {
    name,
    lock,
    tick: tick && {
      key: keys.tick(tick.at),
      last: keys.last,
      at: tick.at,
      keep: tick.keep,
      recover,
      isTakeover,
      mustBeBegun: past === 'perhaps begun',
    },
    every: every ? { key: keys.every, keep: every } : undefined,
    mayOverlap,
    // A takeover must ask all nodes: the lead node may have forgotten the tick.
    loserCounter: counted && !isTakeover ? { key: keys.late(tick?.at ?? 'every'), keep: counted } : undefined,
  };
}
