// Shows the dashboard of an invented fleet, to work on its looks: `node build/test/dashboard/show.js [jobs]`.
import 'reflect-metadata';
import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { RedlockService } from '../../src/index.js';
import { inventedFleet } from './invented-fleet.js';

const redlock = inventedFleet(Number(process.argv[2] ?? 0));

@Global()
@Module({ providers: [{ provide: RedlockService, useValue: redlock }], exports: [RedlockService] })
class FakeRedlockModule {}

@Module({ imports: [FakeRedlockModule, RedlockDashboardModule.forRoot({ actions: true })] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
console.log(`${await app.getUrl()}/jobs`);
