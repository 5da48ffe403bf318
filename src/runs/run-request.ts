import type { ResolvedJobOptions } from '../options/options.js';
import type { Firing } from '../schedule/firing.js';
import type { Tick } from '../schedule/cron-ticks.js';
import type { Past } from './claim-builder.js';

/** One call of a job. */
export interface RunRequest {
  readonly name: string;
  readonly options: ResolvedJobOptions;
  /** The firing in which this call was made, if any. */
  readonly firing?: Firing;
  /** The tick that this call belongs to, if any. Default: that of the firing. */
  readonly tick?: Tick;
  /**
   * What is known about the tick. `'begun'`: by another instance whose lease may have ended. `'perhaps begun'`.
   * `'run here'`: earlier in the same firing, so only the lock is claimed.
   */
  readonly past?: Past;
}

/** The request with `onStoreDown: 'skip'`: without a quorum it is unknown whether a begun tick needs another run. */
export function unlessDown(request: RunRequest): RunRequest {
  return { ...request, options: { ...request.options, onStoreDown: 'skip' } };
}
