import 'reflect-metadata';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { Cluster, type RedisOptions } from 'ioredis';
import { type CurrentRun, RedlockModule, RedlockService } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';

// node exit-process.js HOW URL (of a Sentinel group or a Cluster, the ports): an application that ends or fails; nothing
// but what it left behind, or a run in progress, keeps the process alive.
const [how, url = ''] = process.argv.slice(2);
const nodes = nodesOf(url);

@Injectable()
class Broken {
  constructor(private readonly redlock: RedlockService) {}

  async onModuleInit(): Promise<void> {
    if (!how?.includes('fails')) return;
    // Enough for the keys to be on all servers of a Cluster.
    const names = how.includes('Cluster') ? Array.from({ length: 20 }, (_, index) => `job-${index}`) : [];
    await Promise.allSettled(names.map((name) => this.redlock.history(name)));
    throw new Error('no database');
  }
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes })], providers: [Broken] })
class AppModule {}

@Module({})
class OtherModule {}

function nodesOf(urls: string): string | Cluster | RedisOptions {
  const places = urls.split(',').map((port) => ({ host: '127.0.0.1', port: Number(port) }));
  if (how?.includes('Sentinel')) return { name: 'jobs', sentinels: places };
  if (!how?.includes('Cluster')) return urls;
  return new Cluster(places, {
    lazyConnect: true,
    slotsRefreshInterval: 60_000,
  });
}

const report = (error: unknown): void => console.log(String(error));
if (how === 'a fleet that fails') {
  await TestFleet.create(AppModule, { nodes }).catch(report);
} else if (how === 'a fleet of twelve') {
  const fleet = await TestFleet.create(AppModule, { nodes, instances: 12 });
  await fleet.close();
} else if (how?.startsWith('a run')) {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const lead = async ({ signal }: CurrentRun): Promise<void> => {
    await once(signal, 'abort');
    report(signal.reason);
  };
  await app.get(RedlockService).run('leader', lead, { maxRuntime: 1500 });
  await app.close();
} else if (how === 'three applications') {
  const other = await NestFactory.createApplicationContext(OtherModule, { logger: false });
  const third = await NestFactory.createApplicationContext(OtherModule, { logger: false });
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  for (const each of [other, third, app]) each.enableShutdownHooks();
  const run = app.get(RedlockService).run('leader', async ({ signal }) => {
    process.kill(process.pid, 'SIGTERM');
    await sleep(1000, undefined, { signal });
  });
  await run.then(() => report('finished'), report);
  await once(process, 'never');
} else if (how === 'a signal') {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  process.once('SIGTERM', () => {});
  let closed: Promise<void> | undefined;
  const run = app.get(RedlockService).run('signalled', async ({ signal }) => {
    closed = app.close();
    setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100);
    await once(signal, 'abort', { signal: AbortSignal.timeout(5000) });
    report(signal.reason);
  });
  await run.catch(report);
  await closed;
} else if (how === 'a lock that is held') {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  await app.get(RedlockService).lock('leader');
} else {
  const app = NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  await app.then((context) => context.close()).catch(report);
}
console.log(`over at ${Date.now()}`);
