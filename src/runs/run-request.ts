import type { ResolvedJobOptions } from '../options/options.js';
import type { Firing } from '../schedule/firing.js';
import type { Trigger } from '../acquire/token.js';
import type { CronTicks, Tick } from '../schedule/cron-ticks.js';

/** One call of a job. */
export interface RunRequest {
  readonly name: string;
  /** The name, or what stands for the names of a method if they depend on the call; not set by `run()`. */
  readonly pattern?: string;
  readonly options: ResolvedJobOptions;
  /** The firing in which this call was made, if any. */
  readonly firing?: Firing;
  /** The cron job that makes the call, if any. Default: that of the firing. */
  readonly source?: object;
  /** The tick that this call belongs to, if any. Default: that of the firing. */
  readonly tick?: Tick;
  /** The schedule of that tick. Default: that of the firing. */
  readonly ticks?: CronTicks;
  /** What started it. Default: what follows from the rest of the request. */
  readonly trigger?: Trigger;
  /** Over how long the claims of its ticks are spread, in milliseconds. */
  readonly spread?: number;
  /**
   * What is known about the tick. `'perhaps begun'`: another instance may have begun it, and its lease may have ended.
   * `'run here'`: this instance has begun it earlier in the same firing, so only the lock is claimed.
   */
  readonly past?: 'perhaps begun' | 'run here';
}

/** What started a run. */
export function triggerOf({ trigger, tick, firing, past }: RunRequest): Trigger {
  if (past === 'perhaps begun') return 'recover';
  if (trigger) return trigger;
  if (past === 'run here') return 'call';
  return tick || firing?.kind === 'interval' ? 'schedule' : 'call';
}
