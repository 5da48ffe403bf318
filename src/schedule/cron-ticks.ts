import type { CronTime } from 'cron';
import { TickSearch } from './tick-search.js';

/** One scheduled moment of a job. */
export interface Tick {
  /** The nominal time, in milliseconds since the epoch: its identity, the same on all instances. */
  readonly at: number;
  /** When the next tick is due, in milliseconds since the epoch; infinity if there is none. */
  readonly next: number;
  /** How long a late instance could still claim this tick, in milliseconds. */
  readonly keep: number;
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
    // A date occurs once, so caching it gains nothing.
    if (typeof source !== 'string') return new CronTicks(cron);
    const key = JSON.stringify([source, timeZone, utcOffset]);
    const ticks = this.byExpression.get(key) ?? new CronTicks(cron);
    this.byExpression.set(key, ticks);
    return ticks;
  }
}

/** A timer may fire a little early: a call up to this many milliseconds before a tick is for that tick. */
export const TIMER_SLACK = 10;
/** A call that is earlier than the known ticks by more than this, in milliseconds, means that the clock was set. */
const HELD_UP = 60_000;
/** Delay before upcoming ticks are computed, in milliseconds, so that this never delays a run. */
const PREPARE_AFTER = 50;
const MINUTE = 60_000;
const YEAR = 366 * 24 * 60 * MINUTE;

/** The ticks of one schedule, computed by `cron` itself. */
export class CronTicks {
  /** Up to three consecutive ticks, starting with the latest one that has come due. */
  private known: readonly number[] = [];
  private readonly search: TickSearch;
  private preparation: NodeJS.Timeout | undefined;

  constructor(private readonly cron: CronTime) {
    this.search = new TickSearch(cron);
  }

  /** The latest tick up to `now` plus a few milliseconds; `undefined` if there has been none. */
  latest(now: number): Tick | undefined {
    const limit = now + TIMER_SLACK;
    if (this.cron.realDate) return this.onlyTick(limit);
    const [tick, next, third] = this.known;
    if (tick !== undefined && limit < tick) {
      // The call was delayed, or the clock was set back a little: keep the known ticks.
      const before = this.search.around(limit);
      if (limit < tick - HELD_UP) this.known = before;
      return tickOf(before);
    }
    if (tick === undefined || next === undefined || (limit >= next && !(third && limit < third))) {
      this.known = this.search.around(limit);
    } else if (limit >= next) {
      this.known = this.known.slice(1);
    }
    return tickOf(this.known);
  }

  /** The first tick after `now`; infinity if there is none. */
  next(now: number): number {
    if (!this.cron.realDate) return this.search.after(now);
    const at = this.onlyTick(Number.POSITIVE_INFINITY)?.at ?? Number.NaN;
    return at > now ? at : Number.POSITIVE_INFINITY;
  }

  /**
   * Computes the upcoming ticks. `CronTime` takes about a millisecond for each, so this is called after a run, and
   * `latest` only looks them up.
   */
  prepare(now: number): void {
    if (!this.latest(now) || this.cron.realDate) return;
    while (this.known.length < 3) {
      const last = this.known.at(-1) ?? now;
      const next = this.search.after(last);
      // See `TickSearch.after`: ticks beyond the end of daylight saving time are computed once it has ended.
      if (next <= last) return;
      this.known = [...this.known, next];
    }
  }

  /** Calls `prepare` a moment later, once for all requests in the meantime. */
  prepareSoon(clock: () => number): void {
    this.preparation ??= setTimeout(() => {
      this.preparation = undefined;
      this.prepare(clock());
    }, PREPARE_AFTER).unref();
  }

  private onlyTick(limit: number): Tick | undefined {
    const { source } = this.cron;
    const at = typeof source === 'string' ? Number.NaN : source.toMillis();
    return at <= limit ? { at, next: Number.POSITIVE_INFINITY, keep: YEAR } : undefined;
  }
}

function tickOf([at, following]: readonly number[]): Tick | undefined {
  if (at === undefined || following === undefined) return undefined;
  return { at, next: following, keep: Math.min(Math.max(following - at, MINUTE), YEAR) };
}
