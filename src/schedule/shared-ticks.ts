import type { CronTime } from 'cron';
import { CronTicks } from './cron-ticks.js';

/**
 * The ticks of each schedule, computed once for all jobs that share its expression and time zone. They are kept for as
 * long as one of these jobs exists.
 */
export class SharedTicks {
  private readonly byTime = new WeakMap<CronTime, CronTicks>();
  private readonly byExpression = new Map<string, WeakRef<CronTicks>>();
  private readonly unused = new FinalizationRegistry<string>((key) => {
    // Another job may have come with the same expression.
    if (!this.byExpression.get(key)?.deref()) this.byExpression.delete(key);
  });

  of(cron: CronTime): CronTicks {
    const known = this.byTime.get(cron);
    if (known) return known;
    const ticks = this.sharedBy(cron);
    this.byTime.set(cron, ticks);
    return ticks;
  }

  /** The number of expressions and time zones that are known. */
  get size(): number {
    return this.byExpression.size;
  }

  private sharedBy(cron: CronTime): CronTicks {
    const { source, timeZone, utcOffset } = cron;
    // A date occurs once, so sharing it gains nothing.
    if (typeof source !== 'string') return new CronTicks(cron);
    const key = JSON.stringify([source, timeZone, utcOffset]);
    const shared = this.byExpression.get(key)?.deref();
    if (shared) return shared;
    const ticks = new CronTicks(cron);
    this.byExpression.set(key, new WeakRef(ticks));
    this.unused.register(ticks, key);
    return ticks;
  }
}
