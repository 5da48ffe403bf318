import type { ClaimedRun } from '../acquire/token.js';
import type { RunRequest } from './run-request.js';

/** What a lease needs to know about its lock. Durations in milliseconds. */
export interface LeaseSettings {
  readonly name: string;
  readonly ttl: number;
  readonly maxRuntime: number | undefined;
  /** The run that the lease belongs to; omitted for a lock from `lock()`. */
  readonly run?: ClaimedRun;
  /** Whether another instance may run its tick again. Default: `false`. */
  readonly recovers?: boolean;
}

/** The settings of the lease of a run. */
export function settingsOf({ name, options, tick, past }: RunRequest, run: ClaimedRun): LeaseSettings {
  const { ttl, maxRuntime, recover } = options;
  // A later call in a firing claims no tick: the first call has claimed it.
  return { name, ttl, maxRuntime, run, recovers: recover && tick !== undefined && past !== 'run here' };
}
