import { Injectable } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { fire, start, startFleet } from '../module/application.js';

const START = Date.UTC(2031, 4, 7, 10);
const MINUTE = 60_000;

it.each(['when it is created', 'after it is registered'])(
  'a callback that a cron job gets %s calls a job for its tick, however long it waits before',
  async (when) => {
    const clock = new ManualClock(START);
    const runs: unknown[] = [];

    @Injectable()
    class Jobs {
      constructor(
        readonly redlock: RedlockService,
        readonly registry: SchedulerRegistry,
      ) {}

      register(): void {
        const onTick = async (): Promise<void> => {
          await sleep(clock, 5 * MINUTE);
          await this.report();
        };
        const isFirst = when === 'when it is created';
        const job = CronJob.from({ cronTime: '0 * * * * *', onTick: isFirst ? onTick : () => {} });
        this.registry.addCronJob('walk', job);
        if (!isFirst) job.addCallback(onTick);
      }

      @Exclusive('report')
      async report(): Promise<void> {
        runs.push(this.redlock.current()?.tick);
      }
    }

    const nodes = new MemoryNode(clock.now);
    const apps = await startFleet(2, { redlock: { nodes }, providers: [Jobs], clock });
    for (const app of apps) {
      app.get(Jobs).register();
      await fire(app, 'walk');
    }
    await clock.advance(10 * MINUTE);
    expect(runs).toEqual([new Date(START)]);
  },
);

it('a test may register an object that has only some methods of a cron job', async () => {
  const app = await start({ providers: [] });
  const registry = app.get(SchedulerRegistry);
  const stub = { start: () => {}, stop: () => {}, fireOnTick: () => {}, cronTime: {} };
  registry.addCronJob('stub', stub as never);
  expect(registry.getCronJob('stub')).toBe(stub);
});
