/**
 * One instance of an ordinary NestJS application with a scheduled job. For the demonstration alone, it has the job in
 * two versions, and tells the process that started it what happens.
 */
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type LoggerService, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule } from '../../src/index.js'; // In your application: from 'nestjs-exclusive'.

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
  await delay(50);
}

const { REDIS_URLS = '', KEY_PREFIX, GUARDED } = process.env;

@Module({
  imports: [
    ScheduleModule.forRoot(),
    RedlockModule.forRoot({ nodes: REDIS_URLS.split(','), keyPrefix: KEY_PREFIX, ttl: '2s' }),
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
await NestFactory.createApplicationContext(AppModule, { logger });
process.send?.('ready');
