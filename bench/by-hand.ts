import { randomUUID } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import type { Redis } from 'ioredis';
import { JobKeys } from '../src/nodes/job-keys.js';
import { argumentsOf } from '../src/nodes/redis/script-call.js';
import { CLAIM, SETTLE } from '../src/nodes/redis/scripts.js';
import { TTL } from './contenders/contender.js';
import { CronJobClass, type CronJobs } from './cron-jobs.js';

const MINUTE = 60_000;

/**
 * What a tick costs without the package, in a Nest application on one node: cron jobs that ask by the very script of a
 * claim, run, and settle by that of a settle. No deadline, no renewal, no context, no events, one write per command.
 */
export async function startByHand(
  client: Redis,
  jobs: number,
): Promise<CronJobs & { close: () => Promise<void> }> {
  for (const { lua } of [CLAIM, SETTLE]) await client.script('LOAD', lua);
  const cronJobs = new CronJobClass(jobs, (begin, job) => async () => {
    const keys = new JobKeys('BY_HAND', `job-${job}`);
    const at = Math.floor(Date.now() / MINUTE) * MINUTE;
    const claim = {
      lock: keys.lock,
      tick: { key: keys.tick(at), last: keys.last, at, keep: MINUTE, recover: false },
      late: { key: keys.late(at), keep: MINUTE },
    };
    const token = randomUUID();
    const reply = await client.evalsha(CLAIM.sha, ...argumentsOf(CLAIM, claim, token, TTL, 0));
    if (reply !== 1) return;
    begin();
    await client.evalsha(SETTLE.sha, ...argumentsOf(SETTLE, claim, token, 0, 0));
  });

  @Module({ imports: [ScheduleModule.forRoot()], providers: [cronJobs.type] })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  return { ...cronJobs.in(app.get(SchedulerRegistry)), close: () => app.close() };
}
