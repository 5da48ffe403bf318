import type { Patience } from '../acquire/acquirer.js';
import { RETRY } from '../acquire/retry-policy.js';
import { instanceOf } from '../acquire/token.js';
import { TAKEOVER_WINDOW } from '../nodes/lock-node.js';
import type { RunScope } from './run-context.js';
import { type RunRequest, triggerOf } from './run-request.js';
import { spreadDelay } from './spread.js';

/** When to claim, and for how long. Durations in milliseconds. */
export interface ClaimTiming extends Patience {
  /** How long to wait before the claim. */
  readonly delay?: number;
  /** Whether to wait a little longer while this instance is busy. Default: `false`. */
  readonly yields?: boolean;
  /** How long to keep trying while another claim holds the lock. */
  readonly wait?: number;
  /** Whether a run in progress may wait for the claim: a shutdown waits, too. Default: `false`. */
  readonly isNested?: boolean;
}

/**
 * The timing of the claim for one call of a job.
 *
 * @param now In milliseconds since the epoch.
 * @param outer The runs in progress in which the call is made, the innermost first.
 */
export function timingOf(
  keyPrefix: string,
  request: RunRequest,
  now: number,
  outer: readonly RunScope[],
): ClaimTiming {
  const { tick, firing, past, options } = request;
  const delay = spreadDelay(keyPrefix, request, now);
  const claimedAt = now + delay;
  const interval = firing?.kind === 'interval' ? firing : undefined;
  const next = tick?.next ?? (interval && interval.firedAt + interval.period);
  const isBuffered = options.overlap === 'buffer-one' && past === undefined;
  const buffer = isBuffered && next !== undefined ? bufferOf(next - claimedAt) : undefined;
  // In a takeover, the run that died may have called this job, too. The lock of that call ends within this time.
  const dead = outer.find((scope) => scope.dead)?.dead;
  const untilLockOfDeadEnds = dead === undefined ? undefined : options.ttl + TAKEOVER_WINDOW;
  return {
    delay,
    yields: tick !== undefined && triggerOf(request) === 'schedule',
    untilNext: tick ? tick.next - claimedAt : options.every,
    buffer: buffer ?? untilLockOfDeadEnds,
    awaited: buffer === undefined && dead !== undefined ? instanceOf(dead) : undefined,
    isNested: outer.length > 0 && delay === 0,
  };
}

/** How long to wait for a run in progress if the next tick is due in `untilNext` milliseconds. */
function bufferOf(untilNext: number): number {
  return Math.max(untilNext - RETRY.buffer.margin, RETRY.overlap.limit);
}
