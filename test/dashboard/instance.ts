/**
 * One instance of an application with a dashboard, for `real-fleet.ts`. It tells its parent which runs begin, and rests
 * when its parent says so.
 */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';

export interface InstanceSpec {
  readonly name: string;
  readonly redisUrl: string;
  /** What a request to the dashboard must have as its `Authorization`. */
  readonly authorization: string;
}

/** What an instance sends: that it has started, and that a run of a job has begun, with its tick. */
export type FromInstance = { readonly page: string } | { readonly began: string; readonly tick: number };

/** What it is told: whether its cron jobs fire. */
export interface ToInstance {
  readonly isResting: boolean;
}

const { name, redisUrl, authorization }: InstanceSpec = JSON.parse(process.env.INSTANCE ?? '{}');

@Injectable()
class Jobs {
  private invoices = 0;

  @Cron('*/2 * * * * *')
  @Exclusive('orders.sync')
  async sync() {
    await pause(400);
  }

  @Cron('*/5 * * * * *')
  @Exclusive('billing.invoices')
  async bill() {
    await pause(1500);
    if (++this.invoices % 4 === 0) throw new Error('deadlock detected while updating "invoice"');
  }

  @Cron('*/10 * * * * *')
  @Exclusive('search.reindex')
  async reindex() {
    await pause(13_000);
  }

  @Cron('*/10 * * * * *')
  @Exclusive('stock.import')
  async importStock() {
    await pause(6000);
  }

  @Cron('0 0 2 * * *', { timeZone: 'Europe/Berlin' })
  @Exclusive('exports.nightly')
  async exportAll() {
    await pause(300);
  }

  @Cron('0 0 8 * * 1-5', { timeZone: 'America/New_York' })
  @Exclusive('mail.digest')
  async send() {
    throw new Error('<b>no</b> mail server');
  }
}

@Injectable()
class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    return headers.authorization === authorization;
  }
}

@Module({
  imports: [
    ScheduleModule.forRoot(),
    RedlockModule.forRoot({ nodes: [redisUrl], instanceId: name, ttl: '1500ms', history: 200 }),
    RedlockDashboardModule.forRoot({ actions: true, guards: [AdminGuard] }),
  ],
  providers: [Jobs],
})
class AppModule {}

const tell = (message: FromInstance): void => void process.send?.(message);

process.once('disconnect', () => process.exit());
// Without Redis, there are errors: the page shows them.
const app = await NestFactory.create(AppModule, { logger: false });
app.get(RedlockService).on('started', ({ name: began, tick }) => tell({ began, tick: Number(tick) }));
process.on('message', ({ isResting }: ToInstance) => {
  for (const job of app.get(SchedulerRegistry).getCronJobs().values()) {
    if (isResting) void job.stop();
    else job.start();
  }
});
await app.listen(0, '127.0.0.1');
tell({ page: `${await app.getUrl()}/jobs` });
