import 'reflect-metadata';
import { setTimeout } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { Redis } from 'ioredis';
import { RedlockModule, RedlockService } from 'nestjs-exclusive';

// `reports` has the versions of this package; `legacy` has another ioredis, so pnpm gives it a nestjs-exclusive of its own.
const { Reports } = (await import(process.env['REPORTS']!)) as { Reports: new (...args: never[]) => unknown };

const url = process.env['REDIS_URL']!;
const redis = new Redis(url);
const note = {
  provide: 'note',
  inject: [RedlockService],
  useFactory: (redlock: RedlockService) => (job: string) =>
    redis.rpush(`runs of ${job}`, String(redlock.current()?.fencingToken)),
};

@Module({
  imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: url })],
  providers: [Reports, note],
})
class AppModule {}

/** Runs for `LIFE` milliseconds. */
const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
await setTimeout(Number(process.env['LIFE']));
await app.close();
redis.disconnect();
