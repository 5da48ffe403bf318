import type { CronTime } from 'cron';
import { TickSearch } from './tick-search.js';

/** One scheduled moment of a job. */
export interface Tick {
  /** The nominal time, in milliseconds since the epoch: the identity that all instances agree on. */
  readonly at: number;
  /** How long a late instance could still come with this tick, in milliseconds. */
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
const MINUTE = 60_000;
const YEAR = 366 * 24 * 60 * MINUTE;

/** The ticks of one schedule, worked out by `cron` itself. */
export class CronTicks {
  /** Three ticks in a row, of which the first is the latest that has come, as far as they are worked out. */
  private known: readonly number[] = [];
  private readonly search: TickSearch;
  private preparation: NodeJS.Timeout | undefined;

  constructor(private readonly cron: CronTime) {
    this.search = new TickSearch(cron);
  }

  /** The latest tick that is not after `now` and a few milliseconds; `undefined` if there has been none. */
  latest(now: number): Tick | undefined {
    const limit = now + TIMER_SLACK;
    if (this.cron.realDate) return this.onlyTick(limit);
    const [tick, next, third] = this.known;
    if (tick !== undefined && limit < tick) {
      // A call that was held up, or a clock that was set back: the ticks to come stay known.
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

  /** The first tick after `now`; infinity if there is none to come. */
  next(now: number): number {
    if (!this.cron.realDate) return this.search.after(now);
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
      const next = this.search.after(last);
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
}

function tickOf([at, following]: readonly number[]): Tick | undefined {
  if (at === undefined || following === undefined) return undefined;
  return { at, keep: Math.min(Math.max(following - at, MINUTE), YEAR) };
}
