import { createHash } from 'node:crypto';
import type { Patience } from '../acquire/acquirer.js';
import { RETRY } from '../acquire/retry-policy.js';
import { type RunRequest, triggerOf } from './run-request.js';

/** When to claim, and for how long. Durations in milliseconds. */
export interface ClaimTiming extends Patience {
  /** How long to wait before the claim. */
  readonly delay?: number;
  /** Whether to wait a little longer while this instance is busy. Default: `false`. */
  readonly yields?: boolean;
  /** How long to keep trying while another claim holds the lock. */
  readonly wait?: number;
}

/** The timing of the claim for one call of a job. @param now In milliseconds since the epoch. */
export function timingOf(keyPrefix: string, request: RunRequest, now: number): ClaimTiming {
  const { tick, firing, past, options } = request;
  const delay = delayOf(keyPrefix, request, now);
  const claimedAt = now + delay;
  const interval = firing?.kind === 'interval' ? firing : undefined;
  const next = tick?.next ?? (interval && interval.firedAt + interval.period);
  const isBuffered = options.overlap === 'buffer-one' && past === undefined;
  return {
    delay,
    yields: tick !== undefined && triggerOf(request) === 'schedule',
    untilNext: tick ? tick.next - claimedAt : options.every,
    buffer: isBuffered && next !== undefined ? bufferOf(next - claimedAt) : undefined,
  };
}

/** How long to wait for a run in progress if the next tick is due in `untilNext` milliseconds. */
function bufferOf(untilNext: number): number {
  return Math.max(untilNext - RETRY.buffer.margin, RETRY.overlap.limit);
}

/**
 * The claim of a scheduled call waits until the offset of its job after the tick, or after the interval has fired. A call
 * that comes late does not wait in addition.
 */
function delayOf(keyPrefix: string, { name, spread, tick, firing, past }: RunRequest, now: number): number {
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
