import { Injectable, Module } from '@nestjs/common';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { CronJob, CronTime } from 'cron';
import { expect, it } from 'vitest';
import { RedlockModule } from '../../src/index.js';
import { startFleet } from './application.js';

let completed = 0;

/** Starts an application that registers a cron job itself. */
async function startedJob(waitForCompletion: boolean): Promise<CronJob> {
  completed = 0;
  @Injectable()
  class Own {
    constructor(registry: SchedulerRegistry) {
      const job: unknown = CronJob.from({
        cronTime: '0 0 * * * *',
        start: true,
        waitForCompletion,
        onTick: () => {},
        onComplete: () => void completed++,
      });
      registry.addCronJob('own', job as CronJob);
    }
  }
  @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Own] })
  class AppModule {}
  const { fleet } = await startFleet({ instances: 1, override: undefined }, AppModule);
  return fleet.instances[0]!.get(SchedulerRegistry).getCronJob('own');
}

it.each([true, false])('a job completes when it is stopped, not before (waiting: %s)', async (waits) => {
  const job = await startedJob(waits);
  expect([job.isActive, completed]).toEqual([true, 0]);
  await job.stop();
  expect([job.isActive, completed]).toEqual([false, 1]);
  job.start();
  expect([job.isActive, completed]).toEqual([true, 1]);
});

it('a job stays active, or stopped, when it is given another time', async () => {
  const job = await startedJob(false);
  job.setTime(new CronTime('0 30 * * * *'));
  expect(job.isActive).toBe(true);
  void job.stop();
  job.setTime(new CronTime('0 45 * * * *'));
  expect(job.isActive).toBe(false);
});
