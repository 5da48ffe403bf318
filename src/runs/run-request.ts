import type { ResolvedJobOptions } from '../options/options.js';
import type { Firing } from '../schedule/firing.js';
import type { Tick } from '../schedule/cron-ticks.js';
import type { Past } from './claim-builder.js';

/** One call of a job. */
export interface RunRequest {
  readonly name: string;
  readonly options: ResolvedJobOptions;
  /** The call by the scheduler that this call was made in, if it was in one. */
  readonly firing?: Firing;
  /** The tick that the call belongs to, if it does to one. Default: that of the firing. */
  readonly tick?: Tick;
  /**
   * What is known of the tick: `'begun'` by another instance whose lease can have ended; `'perhaps begun'`;
   * `'run here'` before, in the same firing: then only the lock is claimed.
   */
  readonly past?: Past;
}

/** Somebody has begun this tick: without a quorum there is no telling that it still needs a run. */
export function unlessDown(request: RunRequest): RunRequest {
  return { ...request, options: { ...request.options, onStoreDown: 'skip' } };
}
