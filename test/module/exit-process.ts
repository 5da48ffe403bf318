import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { Cluster, type RedisOptions } from 'ioredis';
import { RedlockModule } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';

// node exit-process.js HOW URL (of Sentinels, their ports): an application that ends or fails; nothing but what it left behind keeps the process alive.
const [how, url = ''] = process.argv.slice(2);
const nodes = nodesOf(url);

class Broken {
  onModuleInit(): void {
    if (how?.includes('fails')) throw new Error('no database');
  }
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes })], providers: [Broken] })
class AppModule {}

function nodesOf(urls: string): string | Cluster | RedisOptions {
  if (how?.includes('Cluster')) return new Cluster([urls], { lazyConnect: true });
  if (!how?.includes('Sentinel')) return urls;
  return {
    name: 'jobs',
    sentinels: urls.split(',').map((port) => ({ host: '127.0.0.1', port: Number(port) })),
  };
}

const report = (error: unknown): void => console.log(String(error));
if (how === 'a fleet that fails') {
  await TestFleet.create(AppModule, { nodes }).catch(report);
} else if (how === 'a fleet of twelve') {
  const fleet = await TestFleet.create(AppModule, { nodes, instances: 12 });
  await fleet.close();
} else {
  const app = NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  await app.then((context) => context.close()).catch(report);
}
console.log(`over at ${Date.now()}`);
