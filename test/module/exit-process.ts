import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { Cluster } from 'ioredis';
import { RedlockModule } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';

// node exit-process.js HOW URL: an application that ends or fails; nothing but what it left behind keeps the process alive.
const [how, url = ''] = process.argv.slice(2);
const isCluster = how?.includes('Cluster') ?? false;
const nodes = isCluster ? new Cluster([url], { lazyConnect: true }) : url;

class Broken {
  onModuleInit(): void {
    if (how?.includes('fails')) throw new Error('no database');
  }
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes })], providers: [Broken] })
class AppModule {}

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
