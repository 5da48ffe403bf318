import { CronTime } from 'cron';
import type { CronTicks } from './cron-ticks.js';
import { SharedTicks } from './shared-ticks.js';

/** What `@nestjs/schedule` does with a method. */
export type Schedule =
  CronSchedule | IntervalSchedule | { readonly kind: 'timeout' } | { readonly kind: 'none' };

/** The scheduler calls the method by a cron expression, or at one time. */
export interface CronSchedule {
  readonly kind: 'cron';
  /** Its ticks. The expression is parsed when they are first needed; `cron` throws if it is invalid. */
  readonly ticks: CronTicks;
  /** The name of the cron job in `SchedulerRegistry`, if the decorator sets one. */
  readonly name: string | undefined;
  /** What the decorator has written. The scheduler passes this very object to `addCron`: it identifies the cron job. */
  readonly options: CronOptions;
}

/** The scheduler calls the method again and again. */
export interface IntervalSchedule {
  readonly kind: 'interval';
  /** In milliseconds. */
  readonly every: number;
  /** The name of the interval in `SchedulerRegistry`, if the decorator sets one. */
  readonly name: string | undefined;
}

/** The options of `@Cron` that define the schedule. */
export interface CronOptions {
  readonly cronTime: ConstructorParameters<typeof CronTime>[0];
  readonly timeZone?: string | null;
  readonly utcOffset?: number | null;
  readonly name?: string;
}

// The metadata keys of @nestjs/schedule, which does not export them. A test compares them with the real decorators.
const SCHEDULER_TYPE = 'SCHEDULER_TYPE';
const SCHEDULER_NAME = 'SCHEDULER_NAME';
const SCHEDULE_CRON_OPTIONS = 'SCHEDULE_CRON_OPTIONS';
const SCHEDULE_INTERVAL_OPTIONS = 'SCHEDULE_INTERVAL_OPTIONS';
const CRON_TYPE = 1;
const TIMEOUT_TYPE = 2;
const INTERVAL_TYPE = 3;

/**
 * The schedule of a method, read from its `@nestjs/schedule` decorators.
 *
 * @param shared The known schedules, to which this one is added.
 */
export function scheduleOf(method: object, shared = new SharedTicks()): Schedule {
  const type: unknown = Reflect.getMetadata(SCHEDULER_TYPE, method);
  if (type === CRON_TYPE) {
    const options = Reflect.getMetadata(SCHEDULE_CRON_OPTIONS, method) as CronOptions;
    let ticks: CronTicks | undefined;
    return {
      kind: 'cron',
      get ticks() {
        return (ticks ??= shared.of(cronTimeOf(options)));
      },
      name: options.name,
      options,
    };
  }
  if (type === INTERVAL_TYPE) {
    const { timeout } = Reflect.getMetadata(SCHEDULE_INTERVAL_OPTIONS, method) as { timeout: number };
    const name = Reflect.getMetadata(SCHEDULER_NAME, method) as string | undefined;
    return { kind: 'interval', every: timeout, name };
  }
  return { kind: type === TIMEOUT_TYPE ? 'timeout' : 'none' };
}

/** What identifies the cron job of a decorated method: its name, or the options of `@Cron`. */
export type CronJobKey = string | CronOptions;

/** The key of the cron jobs that call a method; `undefined` if none do. */
export function keyOf(schedule: Schedule): CronJobKey | undefined {
  return schedule.kind === 'cron' ? (schedule.name ?? schedule.options) : undefined;
}

/**
 * The interval of a schedule, or a lower bound of the time between two ticks (see `shortestPeriod`), in milliseconds;
 * infinity if it has neither, or if `cron` refuses its expression.
 */
export function periodOf(schedule: Schedule): number {
  if (schedule.kind === 'interval') return schedule.every;
  return (schedule.kind === 'cron' ? ticksOf(schedule)?.period : undefined) ?? Number.POSITIVE_INFINITY;
}

/** The ticks of a schedule; `undefined` if `cron` refuses it: then the scheduler cannot create its cron job, either. */
export function ticksOf(schedule: CronSchedule): CronTicks | undefined {
  try {
    return schedule.ticks;
  } catch {
    return undefined;
  }
}

/** The schedule in the options of `@Cron`. */
export function cronTimeOf({ cronTime, timeZone, utcOffset }: CronOptions): CronTime {
  // `CronTime` accepts at most one of the two; `cron` refuses a job with both when the scheduler creates it.
  return timeZone == null ? new CronTime(cronTime, null, utcOffset) : new CronTime(cronTime, timeZone);
}
