/** An instance whose jobs fire by themselves. Argument: `ShareInstance`, as JSON. */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import type { CurrentRun } from '../../src/index.js';
import type { Build } from '../builds.js';
import type { Period, ShareInstance, Win } from './protocol.js';

/** For how long a run keeps the processor busy, in milliseconds. */
const COMPUTED = 2;

const { entry, urls, keyPrefix, ahead, blocked, jobs } = JSON.parse(process.argv[2] ?? '') as ShareInstance;
process.on('disconnect', () => process.exit());
const realNow = Date.now;
Date.now = () => realNow() + ahead;
const { RedlockModule, RedlockService } = (await import(entry)) as Build['exports'];

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: urls, keyPrefix })] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const redlock = app.get(RedlockService);
const registry = app.get(SchedulerRegistry);
const wins: (Win & { readonly tick: number })[] = [];
let running = 0;
for (const [index, { cron, spread, work }] of jobs.entries()) {
  const job = `job-${index}`;
  const run = async ({ fencingToken }: CurrentRun): Promise<void> => {
    const tick = fencingToken ?? 0;
    wins.push({ run: `${job} ${tick}`, tick, others: running++ });
    compute(COMPUTED);
    await pause(work);
    running--;
  };
  const onTick = () => redlock.run(job, run, { spread });
  registry.addCronJob(job, CronJob.from({ cronTime: cron, onTick: () => void onTick(), start: true }));
}
if (blocked > 0) setInterval(() => compute(blocked), 10);
process.on('message', ({ from, to }: Period) => {
  const won = wins.filter(({ tick }) => tick >= from && tick < to);
  process.send?.(won.map(({ run, others }): Win => ({ run, others })));
});
process.send?.('started');

function compute(duration: number): void {
  const end = performance.now() + duration;
  while (performance.now() < end);
}
