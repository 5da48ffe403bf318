/**
 * One instance of an ordinary NestJS application with a scheduled job. For the demonstration alone, it has the job in
 * two versions, and tells the process that started it what happens.
 */
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type LoggerService, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
// In your application: from 'nestjs-exclusive/dashboard' and from 'nestjs-exclusive'.
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { Exclusive, RedlockModule } from '../../src/index.js';

@Injectable()
class ReportService {
  @Cron('*/2 * * * * *')
  @Exclusive('report')
  async report() {
    await writeReport();
  }
}

@Injectable()
class UnguardedReportService {
  @Cron('*/2 * * * * *')
  async report() {
    await writeReport();
  }
}

async function writeReport() {
  process.send?.({ ranAt: Date.now() });
  await delay(300);
}

const { REDIS_URLS = '', KEY_PREFIX, INSTANCE, GUARDED } = process.env;

@Module({
  imports: [
    ScheduleModule.forRoot(),
    RedlockModule.forRoot({
      nodes: REDIS_URLS.split(','),
      keyPrefix: KEY_PREFIX,
      instanceId: INSTANCE,
      ttl: '1500ms', // Shorter than the period: if an instance dies in its run, another one runs the next tick.
      history: 500,
    }),
    RedlockDashboardModule.forRoot({ actions: true, public: true }),
  ],
  providers: [GUARDED === 'yes' ? ReportService : UnguardedReportService],
})
class AppModule {}

const logger: LoggerService = {
  log: () => {},
  warn: (message) => process.send?.({ warning: message }),
  error: console.error,
};

process.once('disconnect', () => process.exit());
const app = await NestFactory.create(AppModule, { logger });
await app.listen(0, '127.0.0.1');
process.send?.({ page: `${await app.getUrl()}/jobs#/timeline` });
