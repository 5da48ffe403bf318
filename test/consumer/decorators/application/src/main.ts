import { sent } from './instrument.js';
import { setTimeout } from 'node:timers/promises';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SchedulerRegistry } from '@nestjs/schedule';
import { flush } from '@sentry/nestjs';
import { AppModule } from './app.module.js';
import { Ledger } from './ledger.js';

/** How long the last runs may take, in milliseconds. */
const REST = 1000;

/** Runs for `LIFE` milliseconds. */
async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, {
    logger: new ConsoleLogger({ json: true }),
  });
  await setTimeout(Number(process.env['LIFE']));
  for (const job of app.get(SchedulerRegistry).getCronJobs().values()) void job.stop();
  await setTimeout(REST);
  await flush();
  await app.get(Ledger).add('sent', ...sent);
  await app.close();
}

void main();
