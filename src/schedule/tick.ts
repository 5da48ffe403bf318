import { CronTime } from 'cron';

/** One scheduled moment of a job. */
export interface Tick {
  /** The nominal time, in milliseconds since the epoch: the identity that all instances agree on. */
  readonly at: number;
  /** How long a late instance could still come with this tick, in milliseconds. */
  readonly keep: number;
}

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

/** The ticks of each schedule, computed once for all jobs that share its expression and time zone. */
export class SharedTicks {
  private readonly byTime = new WeakMap<CronTime, CronTicks>();
  private readonly byExpression = new Map<string, CronTicks>();

  of(cron: CronTime): CronTicks {
    const known = this.byTime.get(cron);
    if (known) return known;
    const ticks = this.sharedBy(cron);
    this.byTime.set(cron, ticks);
    return ticks;
  }

  private sharedBy(cron: CronTime): CronTicks {
    const { source, timeZone, utcOffset } = cron;
    // A date happens once: nothing is gained by keeping it.
    if (typeof source !== 'string') return new CronTicks(cron);
    const key = JSON.stringify([source, timeZone, utcOffset]);
    const ticks = this.byExpression.get(key) ?? new CronTicks(cron);
    this.byExpression.set(key, ticks);
    return ticks;
  }
}

/** A timer can fire a little before its time: this many milliseconds are still the tick to come. */
export const TIMER_SLACK = 10;
/** A call for a tick that is older than the known ones by more than this, in milliseconds, means that the clock was set. */
const HELD_UP = 60_000;
/** How long after a call the ticks to come are worked out, in milliseconds: when nothing waits for it. */
const PREPARE_AFTER = 50;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const YEAR = 366 * DAY;
/** How far back to look for the latest tick, in milliseconds: some eight years, as far as `cron` looks ahead. */
const HORIZON = 8 * YEAR;

/** The ticks of one schedule, worked out by `cron` itself. */
export class CronTicks {
  /** Three ticks in a row, of which the first is the latest that has come, as far as they are worked out. */
  private known: readonly number[] = [];
  private readonly zone: string;
  private preparation: NodeJS.Timeout | undefined;

  constructor(private readonly cron: CronTime) {
    // To `cron`, an empty time zone is UTC.
    this.zone = cron.timeZone ?? zoneOfOffset(cron.utcOffset ?? 0);
  }

  /** The latest tick that is not after `now` and a few milliseconds; `undefined` if there has been none. */
  latest(now: number): Tick | undefined {
    const limit = now + TIMER_SLACK;
    if (this.cron.realDate) return this.onlyTick(limit);
    const [tick, next, third] = this.known;
    if (tick !== undefined && limit < tick) {
      // A call that was held up, or a clock that was set back: the ticks to come stay known.
      const before = this.search(limit);
      if (limit < tick - HELD_UP) this.known = before;
      return tickOf(before);
    }
    if (tick === undefined || next === undefined || (limit >= next && !(third && limit < third))) {
      this.known = this.search(limit);
    } else if (limit >= next) {
      this.known = this.known.slice(1);
    }
    return tickOf(this.known);
  }

  /** The first tick after `now`; infinity if there is none to come. */
  next(now: number): number {
    if (!this.cron.realDate) return this.after(now);
    const at = this.onlyTick(Number.POSITIVE_INFINITY)?.at ?? Number.NaN;
    return at > now ? at : Number.POSITIVE_INFINITY;
  }

  /**
   * Works out the ticks to come. `CronTime` takes about a millisecond for one: to be called after a run, so that
   * `latest` only has to look.
   */
  prepare(now: number): void {
    if (!this.latest(now) || this.cron.realDate) return;
    while (this.known.length < 3) {
      const last = this.known.at(-1) ?? now;
      const next = this.after(last);
      // See `after`: what comes after the clocks have gone back is worked out when they have.
      if (next <= last) return;
      this.known = [...this.known, next];
    }
  }

  /** The same a moment later by `clock`, once for all who ask for it in the meantime. */
  prepareSoon(clock: () => number): void {
    this.preparation ??= setTimeout(() => {
      this.preparation = undefined;
      this.prepare(clock());
    }, PREPARE_AFTER).unref();
  }

  private onlyTick(limit: number): Tick | undefined {
    const { source } = this.cron;
    const at = typeof source === 'string' ? Number.NaN : source.toMillis();
    return at <= limit ? { at, keep: YEAR } : undefined;
  }

  /** The latest tick up to `limit` and the one after it, found from nothing. */
  private search(limit: number): readonly number[] {
    let reach = SECOND;
    let tick = this.after(limit - reach);
    while (tick > limit) {
      reach *= 2;
      if (reach > HORIZON) return [];
      tick = this.after(limit - reach);
    }
    // Between `tick` and `limit` there can be thousands more: halve what is left.
    for (let end = limit; ;) {
      const next = this.after(tick);
      if (next > limit || next <= tick) return [tick, next];
      tick = next;
      while (end - tick > SECOND) {
        const middle = tick + (end - tick) / 2;
        const found = this.after(middle);
        if (found > limit || found <= middle) end = middle;
        else tick = found;
      }
    }
  }

  /**
   * The tick after `moment`; infinity where it is further away than `cron` looks. In the night in which clocks go back,
   * `cron` takes an hour that comes twice for the one of the two that has the offset of *now*. So just before the
   * change it answers a question about a moment just after it with a time that has passed.
   */
  private after(moment: number): number {
    try {
      return this.cron.getNextDateFrom(new Date(moment), this.zone).toMillis();
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }
}

function tickOf([at, following]: readonly number[]): Tick | undefined {
  if (at === undefined || following === undefined) return undefined;
  return { at, keep: Math.min(Math.max(following - at, MINUTE), YEAR) };
}

/** The time zone of a `utcOffset`, in minutes, as `cron` names it. */
function zoneOfOffset(minutes: number): string {
  const hours = Math.trunc(minutes / 60);
  const rest = Math.abs(minutes - hours * 60);
  return `UTC${minutes < 0 ? '-' : '+'}${String(Math.abs(hours)).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}
