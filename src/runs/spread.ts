import { createHash } from 'node:crypto';
import { InvalidOptionError } from '../errors.js';
import type { ResolvedJobOptions } from '../options/options.js';
import { periodOf, type Schedule } from '../schedule/schedule-of.js';
import type { CronFiring, IntervalFiring } from '../schedule/firing.js';
import { RunScope } from './run-context.js';
import type { RunRequest } from './run-request.js';

/**
 * Over how long the claims of a job are spread, in milliseconds; `undefined` if they are not. The default of the module
 * is only for jobs whose period is longer.
 *
 * @param schedule Its `period` is a lower bound of the time between two calls, in milliseconds.
 * @throws InvalidOptionError if the job sets a `spread` that is not shorter than its period.
 */
export function spreadOf(
  where: string,
  { spread, defaultSpread }: ResolvedJobOptions,
  schedule: { readonly period: number },
): number | undefined {
  const wanted = spread ?? defaultSpread;
  if (wanted === undefined || wanted < schedule.period) return wanted;
  if (spread === undefined) return undefined;
  throw new InvalidOptionError(
    where,
    'spread',
    `must be shorter than the period of the schedule, which is taken as ${schedule.period} ms`,
    { received: spread },
  );
}

/** The same for a call in a firing; `undefined` inside a run of that firing, because such a call does not wait. */
export function spreadIn(
  where: string,
  options: ResolvedJobOptions,
  firing: CronFiring | IntervalFiring,
): number | undefined {
  return RunScope.wasWonIn(firing) ? undefined : spreadOf(where, options, firing);
}

/** Throws `InvalidOptionError` if the job sets a `spread` that its schedule does not allow. */
export function checkSpread(where: string, options: ResolvedJobOptions, schedule: Schedule): void {
  if (options.spread === undefined) return;
  if (schedule.kind !== 'timeout') return void spreadOf(where, options, { period: periodOf(schedule) });
  throw new InvalidOptionError(where, 'spread', 'has no effect on an @Timeout method, which has no ticks');
}

/**
 * How long the claim of a call waits, in milliseconds: until the offset of its job has passed since the tick, or since
 * the interval fired. A late call only waits for the rest of the offset. `timingOf` in `claim-timing.ts` applies it,
 * and `CatchUp` must find the same offset for a tick.
 *
 * @param now In milliseconds since the epoch.
 */
export function spreadDelay(
  keyPrefix: string,
  { name, spread, tick, firing, past }: RunRequest,
  now: number,
): number {
  if (spread === undefined || past !== undefined) return 0;
  const due = tick?.at ?? (firing?.kind === 'interval' ? firing.firedAt : now);
  const offset = offsetOf(keyPrefix, name, spread);
  return Math.min(Math.max(due + offset - now, 0), offset);
}

/** A whole number from 0 up to `spread`, the same on all instances. */
function offsetOf(keyPrefix: string, name: string, spread: number): number {
  const hash = createHash('sha1').update(`${keyPrefix}_${name}`).digest();
  return hash.readUIntBE(0, 6) % spread;
}
