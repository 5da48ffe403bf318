import { randomUUID } from 'node:crypto';
import { JobKeys } from '../nodes/job-keys.js';
import type { Claim } from '../nodes/lock-node.js';
import { type ClaimedRun, describeRun } from '../acquire/token.js';
import { leastGap } from '../schedule/due-times.js';
import type { RunRequest } from './run-request.js';

/** How long the losers of a tick are counted, in milliseconds; those of an interval, at most this long. */
const LOSER_COUNTER_TTL = 10_000;
/**
 * How long the records of a job are kept after its last run, in milliseconds, or twice its period if that is longer.
 */
const RECORDS_KEPT = 30 * 24 * 60 * 60 * 1000;

/** The claim for one call of a job. */
export function claimOf(
  keyPrefix: string,
  { name, options, tick, past }: RunRequest,
  run: ClaimedRun,
): Claim {
  const { overlap, recover, every: period, history: limit } = options;
  const keys = new JobKeys(keyPrefix, name);
  const mayOverlap = overlap === 'allow';
  const lock = mayOverlap ? keys.run(tick && past === undefined ? String(tick.at) : randomUUID()) : keys.lock;
  const keep = Math.max(RECORDS_KEPT, 2 * (tick?.keep ?? period ?? 0));
  const history =
    limit > 0
      ? { records: keys.records, begun: mayOverlap ? undefined : keys.begun, limit, keep }
      : undefined;
  const described = describeRun(run);
  // The tick has already been won in this firing.
  if (past === 'run here') return { name, lock, mayOverlap, history, run: described };
  const every = period && leastGap(period);
  const countFor = tick ? LOSER_COUNTER_TTL : every && Math.min(every, LOSER_COUNTER_TTL);
  const isTakeover = past !== undefined;
  return {
    name,
    lock,
    mayOverlap,
    history,
    run: described,
    pause: run.trigger === 'call' || run.trigger === 'manual' ? undefined : keys.pause,
    tick: tick && {
      key: keys.tick(tick.at),
      last: keys.last,
      at: tick.at,
      keep: tick.keep,
      recover,
      isTakeover,
    },
    every: every ? { key: keys.every, keep: every } : undefined,
    // A takeover asks all nodes: the lead node may have granted a newer tick.
    loserCounter:
      countFor && !isTakeover ? { key: keys.losers(tick?.at ?? 'every'), keep: countFor } : undefined,
  };
}
