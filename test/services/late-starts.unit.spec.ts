import { Injectable } from '@nestjs/common';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { CronJob } from 'cron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Exclusive, type JobOptions, MemoryNode, RedlockService } from '../../src/index.js';
import { ExclusiveJobs } from '../../src/services/exclusive-jobs.service.js';
import { KnownJobs } from '../../src/services/known-jobs.service.js';
import { SchedulerFirings } from '../../src/services/scheduler-firings.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';

const MINUTE = 60_000;
/** How often an instance looks at the jobs that are undecided, in milliseconds. */
const BEAT = 10_000;

let clock: ManualClock;
let node: MemoryNode;
/** The ticks of the runs, and what started them. */
let runs: string[];
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  node = new MemoryNode(clock.now);
  runs = [];
});

/** Starts an application with an hourly job, which does not run unless its cron job is started. */
async function startWith(options: JobOptions): Promise<TestingModule> {
  @Injectable()
  class Jobs {
    constructor(redlock: RedlockService) {
      redlock.on('started', ({ tick, trigger }) =>
        runs.push(`${tick?.toISOString().slice(11, 16)} ${trigger}`),
      );
    }

    @Cron('0 * * * *', { name: 'report', timeZone: 'UTC', waitForCompletion: true, disabled: true })
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
    await clock.advance(100 * MINUTE);
    const app = await startWith({ missed: 'once' });
    await clock.advance(MINUTE);
    expect(runs).toHaveLength(1);
    await startCronJob(app);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
  });

  it('a tick whose instance died is run again', async () => {
    await clock.advance(60 * MINUTE);
    await node.claim(claimOf('report', clock.now(), { recover: true }), 'dead#run/0/0//1', 30_000);
    await clock.advance(MINUTE);
    const app = await startWith({ recover: true });
    await clock.advance(MINUTE);
    expect(runs).toEqual([]);
    await startCronJob(app);
    expect(runs).toEqual(['11:00 recover']);
  });

  it('a tick that was due before that, and whose offset has not passed, is claimed', async () => {
    const options: JobOptions = { spread: '50m', missed: 'once' };
    await runAtTen(options);
    await clock.advance(30 * MINUTE);
    const app = await startWith(options);
    await clock.advance(60 * MINUTE - (clock.now() % (60 * MINUTE)) + 1);
    await startCronJob(app);
    expect(runs).toHaveLength(1);
    await clock.advance(50 * MINUTE);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
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
    [1, 'on all instances, the latest tick meanwhile is made up for', ['11:00 catch-up']],
    [2, 'on this instance, nothing is made up for', ['11:00 schedule']],
  ])('after it was stopped (%i) %s', async (instances, _what, expected) => {
    await runAtTen({ missed: 'once' });
    const app = await startWith({ missed: 'once' });
    const other = instances === 1 ? undefined : await startWith({ missed: 'once' });
    if (other) cronJobOf(other).start();
    await startCronJob(app);
    void cronJobOf(app).stop();
    await clock.advance(60 * MINUTE - BEAT);
    if (other) await clock.until(fire(other, 'report'));
    await clock.advance(MINUTE);
    await startCronJob(app);
    expect(runs.slice(1)).toEqual(expected);
  });
});

describe('a cron job is reported as started', () => {
  it('once, however often it fires, and again after it was stopped', async () => {
    vi.useFakeTimers();
    try {
      const app = await start({ redlock: { enabled: false } });
      const starts = vi.spyOn(app.get(SchedulerFirings), 'onStart');
      const ticks: unknown[] = [];
      const job = CronJob.from({ cronTime: '* * * * * *', onTick: () => void ticks.push(1), start: true });
      app.get(SchedulerRegistry).addCronJob('own', job);
      await vi.advanceTimersByTimeAsync(3000);
      expect(ticks).toHaveLength(3);
      expect(starts.mock.calls).toEqual([[job]]);
      void job.stop();
      job.start();
      job.start();
      expect(starts).toHaveBeenCalledTimes(2);
      void job.stop();
    } finally {
      vi.useRealTimers();
    }
  });
});
