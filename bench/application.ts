import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Exclusive, type NodeOption, RedlockModule, RedlockService } from '../src/index.js';
import { CronJobClass, type CronJobs } from './cron-jobs.js';

/** A Nest application with cron jobs that are exclusive, as somebody would write it. */
export interface Application extends CronJobs {
  readonly service: RedlockService;
  readonly close: () => Promise<void>;
}

/**
 * @param jobs How many.
 * @param keyPrefix Keeps the jobs of this application apart from those of another one on the same nodes.
 */
export async function startApplication(
  nodes: readonly NodeOption[],
  jobs = 0,
  keyPrefix = 'JOB_LOCKER',
): Promise<Application> {
  const cronJobs = new CronJobClass(jobs, emptyJob, (name) => Exclusive(name));

  @Module({
    imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes, keyPrefix })],
    providers: [cronJobs.type],
  })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  return {
    ...cronJobs.in(app.get(SchedulerRegistry)),
    service: app.get(RedlockService),
    close: () => app.close(),
  };
}

function emptyJob(begin: () => void): () => Promise<void> {
  return () => {
    begin();
    return Promise.resolve();
  };
}
