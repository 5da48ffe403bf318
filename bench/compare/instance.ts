/** One instance: the same job once for each way to guard it. Arguments: by how much its clock is ahead, and the server. */
import { setClock } from '../../test/fleet/clock.js';
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Redis } from 'ioredis';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import { runsKey, type Way, WAYS, WORK } from './ways.js';

const [ahead = '0', url = ''] = process.argv.slice(2);
setClock(Number(ahead));
const redis = new Redis(url);

async function work(way: Way, tick: number): Promise<void> {
  await redis.rpush(runsKey(way.name), tick);
  await pause(WORK);
}

function methodOf(way: Way): () => Promise<unknown> {
  if (!way.guard) return () => work(way, Number(app.get(RedlockService).current()?.fencingToken) / 1000);
  const guarded = way.guard(redis);
  return () => {
    // By the clock of this instance, as the job has no tick of its own.
    const tick = Math.floor((Date.now() + 10) / 1000);
    return guarded(() => work(way, tick));
  };
}

@Injectable()
class Jobs {}

for (const way of WAYS) {
  const descriptor = { configurable: true, writable: true, value: methodOf(way) };
  Cron('* * * * * *')(Jobs.prototype, way.name, descriptor);
  if (!way.guard) Exclusive('guarded')(Jobs.prototype, way.name, descriptor);
  Object.defineProperty(Jobs.prototype, way.name, descriptor);
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: url })], providers: [Jobs] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
process.on('disconnect', () => process.exit());
process.send?.('ready');
