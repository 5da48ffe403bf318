import { contentOf } from '../acquire/token.js';
import type { Clock } from '../clock.js';
import type { ResolvedJobOptions } from '../options/options.js';
import type { MissedCause } from '../events/events.js';
import type { CronTicks } from '../schedule/cron-ticks.js';
import type { PausedTime } from './job-pause.js';
import { isRunOf, type RunRecord } from './run-record.js';
import type { SkippedTicks } from './skipped-ticks.js';

/** How many missed ticks are counted, at most. Older ones are left out. */
const MOST = 1000;
/** How many ticks are searched for in one turn: each search can take some milliseconds. */
const IN_ONE_TURN = 4;

/** Consecutive missed ticks with one cause. Times are in milliseconds since the epoch. */
export interface Missed {
  readonly from: number;
  to: number;
  count: number;
  readonly cause: MissedCause;
}

/** What is known about why ticks were missed. */
export interface Evidence {
  /** What this instance remembers. */
  readonly skipped: SkippedTicks;
  /** The newest records of the job. */
  readonly records: readonly RunRecord[];
  /** When the job was paused for the last time. */
  readonly paused: PausedTime | undefined;
  /** The causes that, for this job, do not show that a tick was missed: ticks with these causes are left out. */
  readonly ignored: readonly MissedCause[];
}

/**
 * The ticks between `last` and `tick`, oldest first, but only the newest `MOST`. Computed in turns. Milliseconds since
 * the epoch.
 */
export async function ticksBetween(
  ticks: CronTicks,
  last: number,
  tick: number,
  clock: Clock,
): Promise<number[]> {
  const missed: number[] = [];
  for (let at = ticks.timeBefore(tick); at !== undefined && at > last; at = ticks.timeBefore(at)) {
    if (missed.length === MOST || at >= (missed.at(-1) ?? tick)) break;
    missed.push(at);
    if (missed.length % IN_ONE_TURN === 0) await clock.turn();
  }
  return missed.toReversed();
}

/** The causes that, for a job with these options, do not show that a tick was missed. */
export function ignoredCauses({ overlap, every, onStoreDown }: ResolvedJobOptions): MissedCause[] {
  // A tick that is not settled may still be running; and with `every`, not every tick is meant to run.
  if (overlap === 'allow' || every !== undefined) return ['unknown', 'overlap'];
  // Another instance may have run it without a quorum.
  return onStoreDown === 'run' ? ['unknown'] : [];
}

/** Groups consecutive missed ticks by their cause. */
export function groupedByCause(missed: readonly number[], evidence: Evidence): Missed[] {
  const groups: Missed[] = [];
  let group: Missed | undefined;
  const died = evidence.records.filter(({ outcome }) => outcome === 'died');
  for (const tick of missed) {
    const cause = causeOf(tick, evidence, died);
    if (cause === undefined || evidence.ignored.includes(cause)) {
      // A group must not span a tick that has run.
      group = undefined;
    } else if (group?.cause === cause) {
      group.to = tick;
      group.count++;
    } else {
      group = { from: tick, to: tick, count: 1, cause };
      groups.push(group);
    }
  }
  return groups;
}

/** @returns `undefined` if the tick has run after all. */
function causeOf(
  tick: number,
  { skipped, records, paused }: Evidence,
  died: readonly RunRecord[],
): MissedCause | undefined {
  const skip = skipped.at(tick);
  const holder = skip?.holder === undefined ? undefined : contentOf(skip.holder)?.runId;
  if (died.some((run) => isRunOf(tick, run) || run.runId === holder)) return 'died';
  const isPaused = paused !== undefined && paused.from <= tick && tick <= paused.to;
  switch (skip?.fate) {
    case 'unguarded':
      return undefined;
    case 'overlap':
    case 'paused':
      return skip.fate;
    case 'store-down':
    case 'overload':
      // A quorum would have refused it.
      return isPaused ? 'paused' : skip.fate;
    case undefined:
      // No claim was made here, for example because this instance was not up.
      if (isPaused) return 'paused';
      break;
    default:
  }
  const isDuring = ({ startedAt, duration }: RunRecord): boolean =>
    duration !== null && startedAt.getTime() <= tick && tick <= startedAt.getTime() + duration;
  return records.some(isDuring) ? 'overlap' : 'unknown';
}
