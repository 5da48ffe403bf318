import { Injectable, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { CronJob, CronTime } from 'cron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Exclusive, type JobOptions, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import { CatchUp } from '../../src/services/catch-up.service.js';
import { ExclusiveJobs } from '../../src/services/exclusive-jobs.service.js';
import { KnownJobs } from '../../src/services/known-jobs.service.js';
import { SchedulerFirings } from '../../src/services/scheduler-firings.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';

const MINUTE = 60_000;
/** How often an instance looks at the jobs that are undecided, in milliseconds. */
const BEAT = 10_000;
const EVERY_TEN_MINUTES = '*/10 * * * *';
/** The time between two ticks, in milliseconds. */
const PERIOD = 10 * MINUTE;

let clock: ManualClock;
let node: MemoryNode;
/** The ticks of the runs, and what started them. */
let runs: string[];
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  node = new MemoryNode(clock.now);
  runs = [];
});

/** Starts an application with a job that does not run unless its cron job is started. */
async function startWith(options: JobOptions): Promise<TestingModule> {
  @Injectable()
  class Jobs {
    constructor(redlock: RedlockService) {
      redlock.on('started', ({ tick, trigger }) =>
        runs.push(`${tick?.toISOString().slice(11, 16)} ${trigger}`),
      );
    }

    @Cron(EVERY_TEN_MINUTES, { name: 'report', timeZone: 'UTC', waitForCompletion: true, disabled: true })
    @Exclusive('report', { ttl: '30s', ...options })
    report(): void {}
  }
  const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
  await clock.idle();
  return app;
}

const cronJobOf = (app: TestingModule): CronJob => app.get(SchedulerRegistry).getCronJob('report');

/** Runs the job at ten o'clock, and stops the application. */
async function runAtTen(options: JobOptions): Promise<void> {
  const app = await startWith(options);
  cronJobOf(app).start();
  await clock.until(fire(app, 'report'));
  await close(app);
  expect(runs).toEqual(['10:00 schedule']);
}

async function startCronJob(app: TestingModule): Promise<void> {
  cronJobOf(app).start();
  await clock.advance(BEAT);
}

describe('when a cron job starts after the application, as with initialDelay', () => {
  it('a missed tick is made up for', async () => {
    await runAtTen({ missed: 'once' });
    await clock.advance(1.7 * PERIOD);
    const app = await startWith({ missed: 'once' });
    await clock.advance(MINUTE);
    expect(runs).toHaveLength(1);
    await startCronJob(app);
    expect(runs.slice(1)).toEqual(['10:10 catch-up']);
  });

  it('a tick whose instance died is run again', async () => {
    await clock.advance(PERIOD);
    await node.claim(claimOf('report', clock.now(), { recover: true }), 'dead#run/0/0//1', 30_000);
    await clock.advance(MINUTE);
    const app = await startWith({ recover: true });
    await clock.advance(MINUTE);
    expect(runs).toEqual([]);
    await startCronJob(app);
    expect(runs).toEqual(['10:10 recover']);
  });

  it('a tick that was due before that, and whose offset has not passed, is claimed', async () => {
    const options: JobOptions = { spread: '8m', missed: 'once' };
    await runAtTen(options);
    await clock.advance(MINUTE);
    const app = await startWith(options);
    await clock.advance(PERIOD - (clock.now() % PERIOD) + 1);
    await startCronJob(app);
    expect(runs).toHaveLength(1);
    await clock.advance(8 * MINUTE);
    expect(runs.slice(1)).toEqual(['10:10 catch-up']);
  });

  it('its job is known, and its ticks are prepared', async () => {
    const app = await startWith({});
    const [job] = app.get(ExclusiveJobs).declared();
    const isPrepared = (): boolean =>
      job?.schedule.kind === 'cron' && !job.schedule.ticks.prepare(clock.now());
    await clock.advance(MINUTE);
    expect(app.get(KnownJobs).get('report')).toBeUndefined();
    await startCronJob(app);
    expect(app.get(KnownJobs).get('report')).toBeDefined();
    expect(isPrepared()).toBe(true);
  });
});

describe('when a cron job is started again', () => {
  it.each([
    [1, 'on all instances, the latest tick meanwhile is made up for', ['10:10 catch-up']],
    [2, 'on this instance, nothing is made up for', ['10:10 schedule']],
  ])('after it was stopped (%i) %s', async (instances, _what, expected) => {
    await runAtTen({ missed: 'once' });
    const app = await startWith({ missed: 'once' });
    const other = instances === 1 ? undefined : await startWith({ missed: 'once' });
    if (other) cronJobOf(other).start();
    await startCronJob(app);
    void cronJobOf(app).stop();
    await clock.advance(PERIOD - BEAT);
    if (other) await clock.until(fire(other, 'report'));
    await clock.advance(MINUTE);
    await startCronJob(app);
    expect(runs.slice(1)).toEqual(expected);
  });
});

/** Runs at ten, then has other times until 10:35. */
async function giveOtherTimes(): Promise<TestingModule> {
  const app = await startWith({ missed: 'once' });
  await startCronJob(app);
  await clock.until(fire(app, 'report'));
  cronJobOf(app).setTime(new CronTime('30 3 * * *', 'UTC'));
  await clock.advance(3.5 * PERIOD);
  cronJobOf(app).setTime(new CronTime(EVERY_TEN_MINUTES, 'UTC'));
  await clock.advance(BEAT);
  expect(runs).toEqual(['10:00 schedule']);
  return app;
}

describe('when setTime gives a cron job other times, and its own ones again', () => {
  it('no tick from before that is made up for, then or later', async () => {
    const app = await giveOtherTimes();
    app.get(CatchUp).look();
    await clock.advance(BEAT);
    void cronJobOf(app).stop();
    await startCronJob(app);
    expect(runs).toHaveLength(1);
  });

  it('later ticks are made up for', async () => {
    const app = await giveOtherTimes();
    void cronJobOf(app).stop();
    await clock.advance(PERIOD);
    await startCronJob(app);
    expect(runs.slice(1)).toEqual(['10:40 catch-up']);
  });

  it('the start before that still counts, if the times are the same', async () => {
    await runAtTen({ missed: 'once' });
    await clock.advance(1.7 * PERIOD);
    const app = await startWith({ missed: 'once' });
    cronJobOf(app).start();
    cronJobOf(app).setTime(new CronTime(EVERY_TEN_MINUTES, 'UTC'));
    await clock.advance(BEAT);
    expect(runs.slice(1)).toEqual(['10:10 catch-up']);
  });

  it('a tick whose instance died is run again, its job is known, and its ticks are prepared', async () => {
    const app = await startWith({ recover: true });
    const [job] = app.get(ExclusiveJobs).declared();
    const isPrepared = (): boolean =>
      job?.schedule.kind === 'cron' && !job.schedule.ticks.prepare(clock.now());
    cronJobOf(app).setTime(new CronTime('30 3 * * *', 'UTC'));
    await node.claim(claimOf('report', clock.now(), { recover: true }), 'dead#run/0/0//1', 30_000);
    await startCronJob(app);
    expect(isPrepared()).toBe(false);
    await clock.advance(MINUTE);
    expect(runs).toEqual([]);
    cronJobOf(app).setTime(new CronTime(EVERY_TEN_MINUTES, 'UTC'));
    await clock.advance(BEAT);
    expect(runs).toEqual(['10:00 recover']);
    expect(app.get(KnownJobs).get('report')).toBeDefined();
    expect(isPrepared()).toBe(true);
  });

  it('no tick is made up for either, if the cron job is replaced instead', async () => {
    const app = await startWith({ missed: 'once' });
    await startCronJob(app);
    await clock.until(fire(app, 'report'));
    const registry = app.get(SchedulerRegistry);
    for (const cronTime of ['30 3 * * *', EVERY_TEN_MINUTES]) {
      const job = CronJob.from({ cronTime, onTick: () => {}, timeZone: 'UTC' });
      registry.deleteCronJob('report');
      registry.addCronJob('report', job);
      job.start();
      await clock.advance(3.5 * PERIOD);
    }
    app.get(CatchUp).look();
    await clock.advance(BEAT);
    expect(runs).toEqual(['10:00 schedule', '11:10 catch-up']);
  });
});

describe('the jobs that are looked at', () => {
  it('are those of the cron jobs that have started', async () => {
    const app = await startWith({});
    const looks = vi.spyOn(app.get(SchedulerFirings), 'sourceOf');
    const own = new CronJob(EVERY_TEN_MINUTES, () => {});
    app.get(SchedulerRegistry).addCronJob('own', own);
    own.start();
    await clock.advance(BEAT);
    expect(looks).not.toHaveBeenCalled();
    await startCronJob(app);
    expect(looks).toHaveBeenCalled();
  });

  it('have the names that they have then', async () => {
    let name = 'first';
    @Injectable()
    class Jobs {
      constructor(redlock: RedlockService) {
        redlock.on('started', ({ name: started, trigger }) => runs.push(`${started} ${trigger}`));
      }

      @Cron(EVERY_TEN_MINUTES, { name: 'report', timeZone: 'UTC', waitForCompletion: true, disabled: true })
      @Exclusive(() => name, { missed: 'once' })
      report(): void {}
    }
    const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
    await startCronJob(app);
    await clock.until(fire(app, 'report'));
    void cronJobOf(app).stop();
    name = 'second';
    await clock.advance(PERIOD);
    await startCronJob(app);
    expect(runs).toEqual(['first schedule']);
  });

  it('include those of modules that are loaded later', async () => {
    @Injectable()
    class LazyJobs {
      @Cron(EVERY_TEN_MINUTES, { name: 'lazy' }) @Exclusive('lazy') run(): void {}
    }
    @Module({ providers: [LazyJobs] })
    class LazyModule {}
    const app = await startWith({});
    await startCronJob(app);
    await clock.until(app.get(LazyModuleLoader).load(() => LazyModule));
    const job = new CronJob(EVERY_TEN_MINUTES, () => {});
    app.get(SchedulerRegistry).addCronJob('lazy', job);
    job.start();
    await clock.advance(BEAT);
    expect(app.get(KnownJobs).get('lazy')).toBeDefined();
  });
});

it.each([true, false])(
  'of two modules, the one of the job notices (first one enabled: %s)',
  async (enabled) => {
    @Injectable()
    class Jobs {
      constructor(redlock: RedlockService) {
        redlock.on('started', ({ trigger }) => runs.push(trigger));
      }

      @Cron(EVERY_TEN_MINUTES, { name: 'report', timeZone: 'UTC', waitForCompletion: true, disabled: true })
      @Exclusive('report', { missed: 'once' })
      report(): void {}
    }
    @Module({ imports: [RedlockModule.forRoot({ nodes: node, enabled })] })
    class First {}
    @Module({ imports: [RedlockModule.forRoot({ nodes: node })], providers: [Jobs] })
    class Second {}
    const startBoth = (): Promise<TestingModule> => start({ redlock: null, clock, imports: [First, Second] });

    const first = await startBoth();
    await startCronJob(first);
    await clock.until(fire(first, 'report'));
    await close(first);
    await clock.advance(1.7 * PERIOD);
    await startCronJob(await startBoth());
    expect(runs).toEqual(['schedule', 'catch-up']);
  },
);
