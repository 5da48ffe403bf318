import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, expect, it } from 'vitest';
import { Exclusive, type JobOptions, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { close, fire, start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';

const may = (day: number, hour: number, minute = 0): number => Date.UTC(2031, 4, day, hour, minute);

let clock: ManualClock;
let nodes: MemoryNode;
beforeEach(() => {
  clock = new ManualClock(may(7, 5, 59));
  nodes = new MemoryNode(clock.now);
});

/** The job `daily` is called at 6, by the scheduler and then inside a run of `hourly`. */
async function runBoth(options: JobOptions): Promise<(at: number) => Promise<TestingModule>> {
  @Injectable()
  class Jobs {
    @Cron('0 0 * * * *', { name: 'hourly', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('hourly')
    async hourly(): Promise<void> {
      await this.daily();
    }

    @Cron('0 0 6 * * *', { name: 'daily', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('daily', options)
    async daily(): Promise<void> {}
  }
  const startAt = async (at: number): Promise<TestingModule> => {
    await clock.advance(at - clock.now());
    const app = await start({ redlock: { nodes }, providers: [Jobs], clock });
    await clock.idle();
    return app;
  };
  const first = await startAt(may(7, 5, 59));
  await clock.advance(may(7, 6) - clock.now());
  for (const job of ['daily', 'hourly']) await clock.until(fire(first, job));
  await close(first);
  return startAt;
}

it('a job that is also called inside runs of another at the same time is made up for', async () => {
  const startAt = await runBoth({ missed: 'once' });
  const app = await startAt(may(8, 6, 10));
  const [newest] = await app.get(RedlockService).history('daily');
  expect(newest).toMatchObject({ trigger: 'catch-up', tick: new Date(may(8, 6)) });
});

it('its missed tick is reported', async () => {
  const startAt = await runBoth({});
  const app = await startAt(may(9, 5, 59));
  const missed: unknown[] = [];
  app.get(RedlockService).on('missed', ({ name, from, count }) => missed.push([name, from, count]));
  await clock.advance(may(9, 6) - clock.now());
  await clock.until(fire(app, 'daily'));
  await clock.advance(1000);
  expect(missed).toEqual([['daily', new Date(may(8, 6)), 1]]);
});

it('the job is overdue, although a call inside a run of the other has died since', async () => {
  const startAt = await runBoth({});
  await clock.advance(may(8, 10) - clock.now());
  const { begun, records } = new JobKeys('JOB_LOCKER', 'daily');
  const call = { runId: 'dead', trigger: 'call', calledAt: may(8, 10), tick: may(8, 10) } as const;
  const claim = { ...claimOf('daily'), history: { begun, records, limit: 50, keep: 1e9 } };
  await nodes.claim(claim, tokensOf('dead')(describeRun(call)), 1000);
  const app = await startAt(may(8, 11));
  const { overdueBy } = await app.get(RedlockService).status('daily');
  expect(overdueBy).toBe(may(8, 11) - may(8, 6));
});
