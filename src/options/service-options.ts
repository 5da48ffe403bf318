import type { CronJob } from 'cron';
import { InvalidOptionError } from '../errors.js';
import { EVENT_NAMES } from '../events/channels.js';
import { type Check, oneOf, text } from '../checks.js';
import { type Duration, longMilliseconds, milliseconds, ttlCheck } from './duration.js';
import type { JobOptions } from './options.js';
import { historySize, jobChecks } from './resolve-options.js';

/** Options of `RedlockService.lock`. */
export interface LockOptions {
  /**
   * The lease: how long the lock outlives a process that dies. At least three times the module's `nodeTimeout`.
   * Default: the module's `ttl`.
   */
  ttl?: Duration | undefined;
  /**
   * How long to keep trying while another claim holds the lock, or no quorum answers. Default: does not wait for a lock
   * that is held.
   */
  wait?: Duration | undefined;
}

/** Options of `RedlockService.run`. */
export interface RunOptions extends JobOptions {
  /**
   * The calling cron job, if it is not in `SchedulerRegistry`: this run is then for its latest tick, and each tick runs
   * once. A job in the registry is recognized without it.
   */
  job?: CronJob | undefined;
}

/** Options of `RedlockService.history`. */
export interface HistoryOptions {
  /** How many records to return at most. Default: all that are kept (the option `history`). */
  limit?: number | undefined;
}

/** Options of `RedlockService.pause`. */
export interface PauseOptions {
  /** How long the pause lasts. Default: until `resume`. */
  for?: Duration | undefined;
  /** Why: shown by `status`, as it is. At most 500 characters. */
  note?: string | undefined;
}

type ChecksOf<Options> = Record<keyof Options, Check<unknown>>;

/** The longest note of a pause, in characters. */
const LONGEST_NOTE = 500;

const note: Check<string> = (where, option, value) => {
  const checked = text('migration 42')(where, option, value);
  if (checked.length <= LONGEST_NOTE) return checked;
  throw new InvalidOptionError(where, option, `must not be longer than ${LONGEST_NOTE} characters`);
};

export const PAUSE_CHECKS = { for: longMilliseconds, note } satisfies ChecksOf<PauseOptions>;

export const HISTORY_CHECKS = { limit: historySize } satisfies ChecksOf<HistoryOptions>;

/** A cron job, from any copy of `cron`. */
const cronJob: Check<CronJob> = (where, option, value) => {
  const { cronTime } = Object(value) as { cronTime?: unknown };
  const { getNextDateFrom } = Object(cronTime) as { getNextDateFrom?: unknown };
  if (typeof getNextDateFrom === 'function') return value as CronJob;
  throw new InvalidOptionError(where, option, 'must be a CronJob', { received: value });
};

export function lockChecks(nodeTimeout: number) {
  return { ttl: ttlCheck(nodeTimeout), wait: milliseconds } satisfies ChecksOf<LockOptions>;
}

export function runChecks(nodeTimeout: number) {
  return { ...jobChecks(nodeTimeout), job: cronJob } satisfies ChecksOf<RunOptions>;
}

export const eventName = oneOf(...EVENT_NAMES);
