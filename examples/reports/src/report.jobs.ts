import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { Cron, Interval } from '@nestjs/schedule';
import { Exclusive, RedlockService } from 'nestjs-exclusive';
import { Store } from './store.js';

/** The scheduled jobs. Their schedules are short, so that there is something to see. */
@Injectable()
export class ReportJobs {
  private readonly logger = new Logger(ReportJobs.name);

  constructor(
    private readonly redlock: RedlockService,
    private readonly store: Store,
  ) {}

  /** Writes down what has been sold so far. Run twice for one tick, it would write two reports. */
  @Cron('*/2 * * * * *')
  @Exclusive('turnover')
  async turnover(): Promise<void> {
    const { tick, instanceId } = this.redlock.current()!;
    const report = { tick: tick!.toISOString(), ...(await this.store.totals()), instanceId };
    await this.store.addReport(report);
    this.logger.log(`Turnover of ${report.tick}: ${report.orders} orders, ${report.revenue} cents`);
  }

  /**
   * Takes long, and is safe to run twice, so another instance takes over when this one dies. What it writes is fenced,
   * for a run that goes on after its lock was lost.
   */
  @Cron('*/4 * * * * *')
  @Exclusive('ranking', { recover: true, maxRuntime: '1m' })
  async ranking(): Promise<void> {
    const { tick, signal, fencingToken } = this.redlock.current()!;
    this.logger.log(`Ranking of ${tick!.toISOString()} begins`);
    const customers = await this.store.customers();
    // Stands for work that takes long, and stops when it is told to.
    await pause(1500, undefined, { signal });
    if (await this.store.saveRanking(customers, fencingToken!)) {
      this.logger.log(`Ranking of ${tick!.toISOString()} stored`);
    } else {
      this.logger.warn(`Ranking of ${tick!.toISOString()} not stored: there is a newer one`);
    }
  }

  /** Once per interval over all instances, whichever comes first. */
  @Interval(3000)
  @Exclusive('tidy')
  async tidy(): Promise<void> {
    this.logger.log(`Tidied: ${await this.store.removeOldReports()} old reports removed`);
  }
}
