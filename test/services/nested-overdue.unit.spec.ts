import { Injectable, Module } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';

/** Whether the outer jobs call the others. */
let calls = true;

@Injectable()
class Jobs {
  constructor(private readonly redlock: RedlockService) {}

  @Cron('0 * * * * *', { timeZone: 'UTC' })
  @Exclusive('outer')
  async outer(): Promise<void> {
    if (!calls) return;
    await this.redlock.run('inner', () => {});
    await this.cleanup();
    await this.daily();
  }

  @Cron('0 * * * * *', { timeZone: 'UTC', name: 'twice' })
  async twice(): Promise<void> {
    if (!calls) return;
    for (let call = 0; call < 2; call++) await this.redlock.run('twice', () => {});
  }

  @Exclusive('cleanup')
  async cleanup(): Promise<void> {}

  @Cron('0 0 6 * * *', { timeZone: 'UTC' })
  @Exclusive('daily')
  async daily(): Promise<void> {}

  @Cron('0 0 6 * * *', { timeZone: 'UTC' })
  @Exclusive('report')
  async report(): Promise<void> {}

  @Interval(8 * 60 * 60 * 1000)
  @Exclusive('sweep')
  async sweep(): Promise<void> {}

  @Cron('0 * * * * *', { timeZone: 'UTC', name: 'unguarded' })
  async unguarded(): Promise<void> {
    if (!calls) return;
    await this.report();
    await this.sweep();
  }
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
class AppModule {}

let fleet: TestFleet;
let overdue: string[];
beforeEach(async () => {
  calls = true;
  overdue = [];
  // The instances win in turns: each has not won for ten minutes.
  fleet = await TestFleet.create(AppModule, { instances: 10, now: new Date('2031-05-07T09:30:05Z') });
  closeAfterTest(fleet);
  for (const app of fleet.instances)
    app.get(RedlockService).on('overdue', ({ name }) => void overdue.push(name));
});

const statuses = (name: string) =>
  Promise.all(fleet.instances.map((app) => app.get(RedlockService).status(name)));

async function fireFor(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await fleet.fire('outer');
    await fleet.advance('10s');
  }
}

describe('a job that is called inside a run', () => {
  it('is not overdue on the instances that have not won that run for long', async () => {
    await fireFor(20);
    expect(overdue).toEqual([]);
    for (const name of ['inner', 'cleanup', 'daily'])
      expect(new Set((await statuses(name)).map(({ overdueBy }) => overdueBy))).toEqual(new Set([null]));
  });

  it('is not overdue if the run does not call it any more', async () => {
    await fireFor(1);
    calls = false;
    await fireFor(20);
    expect(overdue).toEqual([]);
  });

  it('keeps its own schedule', async () => {
    await fireFor(10);
    const tomorrow = new Date('2031-05-08T06:00:00Z');
    expect((await statuses('daily')).map(({ nextTick }) => nextTick)).toEqual(
      Array.from({ length: 10 }, () => tomorrow),
    );
    expect(fleet.instances[0]!.get(RedlockService).preview('daily', 1)).toEqual([tomorrow]);
  });
});

it('a job that a cron job calls twice is overdue once it is not called any more', async () => {
  const { instances } = fleet;
  for (let minute = 0; minute < 2; minute++) {
    await fleet.advance('1m');
    for (const app of instances) await app.get(SchedulerRegistry).getCronJob('twice').fireOnTick();
  }
  calls = false;
  await fireFor(10);
  expect(overdue).toEqual(['twice']);
});

it('a job that another cron job calls, outside any run, keeps its own schedule, and is not overdue once it is not called', async () => {
  const { instances } = fleet;
  for (const app of instances) await app.get(SchedulerRegistry).getCronJob('unguarded').fireOnTick();
  calls = false;
  await fireFor(20);
  expect(overdue).toEqual([]);
  const [first] = instances;
  const redlock = first!.get(RedlockService);
  expect(redlock.preview('report', 1)).toEqual([new Date('2031-05-08T06:00:00Z')]);
  expect(redlock.preview('sweep', 1)[0]!.getTime()).toBeGreaterThan(Date.parse('2031-05-07T16:00:00Z'));
  expect((await redlock.history('report')).map(({ trigger }) => trigger)).toEqual(['schedule']);
});
