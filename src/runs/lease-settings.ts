import type { ClaimedRun } from '../acquire/token.js';

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
