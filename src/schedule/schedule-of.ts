import { CronTime } from 'cron';
import { type CronTicks, SharedTicks } from './cron-ticks.js';

/** What `@nestjs/schedule` does with a method. */
export type Schedule =
  | {
      readonly kind: 'cron';
      readonly ticks: CronTicks;
      /** The name of the cron job in `SchedulerRegistry`, if the decorator gives one. */
      readonly name: string | undefined;
    }
  /** `every`: in milliseconds. */
  | { readonly kind: 'interval'; readonly every: number }
  | { readonly kind: 'none' };

/** The part of the options of `@Cron` that says when. */
export interface CronOptions {
  readonly cronTime: ConstructorParameters<typeof CronTime>[0];
  readonly timeZone?: string | null;
  readonly utcOffset?: number | null;
  readonly name?: string;
}

// The metadata of @nestjs/schedule, whose keys it does not export. A test holds them against the real decorators.
const SCHEDULER_TYPE = 'SCHEDULER_TYPE';
const SCHEDULE_CRON_OPTIONS = 'SCHEDULE_CRON_OPTIONS';
const SCHEDULE_INTERVAL_OPTIONS = 'SCHEDULE_INTERVAL_OPTIONS';
const CRON_TYPE = 1;
const INTERVAL_TYPE = 3;

/**
 * The schedule of a method, by the decorators of `@nestjs/schedule` on it.
 *
 * @param shared The schedules that are known; this adds to them.
 */
export function scheduleOf(method: object, shared = new SharedTicks()): Schedule {
  const type: unknown = Reflect.getMetadata(SCHEDULER_TYPE, method);
  if (type === CRON_TYPE) {
    const options = Reflect.getMetadata(SCHEDULE_CRON_OPTIONS, method) as CronOptions;
    return { kind: 'cron', ticks: shared.of(cronTimeOf(options)), name: options.name };
  }
  if (type === INTERVAL_TYPE) {
    const { timeout } = Reflect.getMetadata(SCHEDULE_INTERVAL_OPTIONS, method) as { timeout: number };
    return { kind: 'interval', every: timeout };
  }
  return { kind: 'none' };
}

/** The schedule that the options of `@Cron` name. */
export function cronTimeOf({ cronTime, timeZone, utcOffset }: CronOptions): CronTime {
  // `CronTime` accepts at most one of the two; `cron` refuses a job with both when it is mounted.
  return timeZone == null ? new CronTime(cronTime, null, utcOffset) : new CronTime(cronTime, timeZone);
}
