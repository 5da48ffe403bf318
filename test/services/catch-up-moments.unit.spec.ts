import { Injectable, type Type } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  Exclusive,
  MemoryNode,
  type MissedEvent,
  NodeUnreachableError,
  RedlockService,
} from '../../src/index.js';
import { ExclusiveJobs } from '../../src/services/exclusive-jobs.service.js';
import { JobRunner } from '../../src/services/job-runner.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

const MINUTE = 60_000;
const HOURLY = '0 * * * *';
const TTL = 60 * MINUTE;
/** How often an instance looks at the jobs that are paused or undecided. */
const BEAT = 10_000;

/** A node that can be out of reach, or refuse to vote or to report on one job. */
class FailingNode extends MemoryNode {
  isDown = false;
  /** Why it does not report on `report`; `undefined` if it does. */
  refuses: 'lock' | 'slow' | undefined;
  /** Whether it does not vote on `report`. */
  isVoteRefused = false;

  override claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    if (this.isVoteRefused && args[0].lock.endsWith('report'))
      return Promise.reject(new NodeUnreachableError('a:1', 'WRONGTYPE', 'lock'));
    return this.isDown ? Promise.reject(new Error('is down')) : super.claim(...args);
  }

  override register(...args: Parameters<MemoryNode['register']>): ReturnType<MemoryNode['register']> {
    return this.isDown ? Promise.reject(new Error('is down')) : super.register(...args);
  }

  override look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    if (this.refuses && args[0].lock.endsWith('report'))
      return Promise.reject(new NodeUnreachableError('a:1', 'WRONGTYPE', this.refuses));
    return this.isDown ? Promise.reject(new Error('is down')) : super.look(...args);
  }
}

let clock: ManualClock;
/** How far the clock of the node is behind that of the instances, in milliseconds. */
let lag: number;
let node: FailingNode;
/** The hours and minutes of the ticks of `report` that were run. */
let ticks: string[];
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  lag = 0;
  node = new FailingNode(() => clock.now() - lag);
  ticks = [];
});

@Injectable()
class Jobs {
  constructor(readonly redlock: RedlockService) {}

  @Cron(HOURLY, { name: 'report', timeZone: 'UTC', waitForCompletion: true })
  @Exclusive('report', { ttl: TTL, missed: 'once' })
  report(): void {
    ticks.push(this.redlock.current()?.tick?.toISOString().slice(11, 16) ?? 'none');
  }

  @Cron(HOURLY, { name: 'cleaning', timeZone: 'UTC', waitForCompletion: true })
  @Exclusive('cleaning', { ttl: TTL })
  cleaning(): void {}
}

@Injectable()
class Others {
  @Cron(HOURLY, { name: 'other', timeZone: 'UTC', waitForCompletion: true })
  @Exclusive('other', { ttl: TTL, missed: 'once' })
  other(): void {}
}

/** An application that starts at one minute to eleven; its jobs have run at ten o'clock. */
async function beforeEleven(
  providers: Type[] = [Jobs],
  logger = new RecordingLogger(),
): Promise<{ app: TestingModule; redlock: RedlockService }> {
  const parts = { redlock: { nodes: node }, providers, logger, clock };
  const before = await start(parts);
  for (const job of ['report', 'cleaning']) await clock.until(fire(before, job));
  await close(before);
  await clock.advance(59 * MINUTE);
  ticks = [];
  const looks = vi.spyOn(node, 'look');
  const app = await start(parts);
  await clock.idle();
  expect(looks).toHaveBeenCalled();
  return { app, redlock: app.get(RedlockService) };
}

/** Returns a function that lists the timers that are set from now on, for longer than a day. */
function watchTimers(): () => unknown[] {
  const { mock } = vi.spyOn(clock, 'setTimeout');
  const isLong = (index: number): boolean => (mock.calls[index]?.[1] ?? 0) > 24 * 60 * MINUTE;
  return () => mock.results.filter((_, index) => isLong(index)).map(({ value }) => value as unknown);
}

describe('a tick that was missed', () => {
  it('is run after an outage that falls between two looks at the nodes', async () => {
    const { app } = await beforeEleven();
    await clock.advance(MINUTE + 500);
    node.isDown = true;
    await clock.until(fire(app, 'report'));
    await clock.advance(1000);
    expect(ticks).toEqual([]);
    node.isDown = false;
    await clock.advance(BEAT);
    expect(ticks).toEqual(['11:00']);
  });

  it('is run soon after the nodes vote on its job again, if they voted on others meanwhile', async () => {
    const logger = new RecordingLogger();
    const { app } = await beforeEleven([Jobs], logger);
    await clock.advance(MINUTE + 500);
    node.isVoteRefused = true;
    node.refuses = 'lock';
    await clock.until(fire(app, 'report'));
    await clock.advance(2 * BEAT);
    expect(ticks).toEqual([]);
    node.isVoteRefused = false;
    node.refuses = undefined;
    await clock.advance(BEAT);
    expect(ticks).toEqual(['11:00']);
    expect(logger.at('warn').filter((line) => line.includes('"report"'))).toEqual([
      expect.stringContaining('of "report" was not run by this instance: its lock could not be acquired'),
    ]);
  });

  it('is run when the pause ends by itself', async () => {
    const { app, redlock } = await beforeEleven();
    const looks = vi.spyOn(node, 'look').mockClear();
    await clock.until(redlock.pause('report', { for: '2m' }));
    await clock.idle();
    expect(looks).toHaveBeenCalled();
    await clock.advance(MINUTE);
    await clock.until(fire(app, 'report'));
    await clock.advance(MINUTE - 1);
    expect(ticks).toEqual([]);
    await clock.advance(2);
    expect(ticks).toEqual(['11:00']);
  });

  it.each([5, 20_000])(
    'is run soon after the pause ends by a node whose clock is %i ms behind, whatever the lease',
    async (behind) => {
      lag = behind;
      const { app, redlock } = await beforeEleven();
      const looks = vi.spyOn(node, 'look').mockClear();
      await clock.until(redlock.pause('report', { for: '2m' }));
      await clock.idle();
      expect(looks).toHaveBeenCalled();
      await clock.advance(MINUTE);
      await clock.until(fire(app, 'report'));
      const claims = vi.spyOn(node, 'claim').mockClear();
      await clock.advance(MINUTE + 2);
      expect(claims).toHaveBeenCalled();
      await clock.advance(behind + BEAT);
      expect(ticks).toEqual(['11:00']);
    },
  );

  it('is run once the lock is free, if that is held when the job is resumed', async () => {
    const { app, redlock } = await beforeEleven();
    await clock.until(redlock.pause('report'));
    await clock.advance(MINUTE);
    await clock.until(fire(app, 'report'));
    const lock = await clock.until(redlock.lock('report'));
    const claims = vi.spyOn(node, 'claim');
    await clock.until(redlock.resume('report'));
    await clock.idle();
    expect(claims).toHaveBeenCalled();
    await clock.advance(1000);
    await clock.until(lock?.release() ?? Promise.reject(new Error('not locked')));
    expect(ticks).toEqual([]);
    await clock.advance(BEAT);
    expect(ticks).toEqual(['11:00']);
  });

  it('is reported as paused, whatever an operator has run meanwhile', async () => {
    const { app, redlock } = await beforeEleven();
    const missed: MissedEvent[] = [];
    redlock.on('missed', (event) => missed.push(event));
    await clock.until(redlock.pause('cleaning'));
    await clock.advance(MINUTE);
    await clock.until(fire(app, 'cleaning'));
    await clock.until(redlock.trigger('cleaning'));
    await clock.until(redlock.resume('cleaning'));
    await clock.advance(60 * MINUTE);
    await clock.until(fire(app, 'cleaning'));
    await clock.idle();
    expect(missed.map(({ cause }) => cause)).toEqual(['paused']);
  });
});

it('a paused job makes nobody list all jobs again at each tick', async () => {
  const { app, redlock } = await beforeEleven();
  const lists = vi.spyOn(ExclusiveJobs.prototype, 'declared');
  for (const job of ['report', 'cleaning']) {
    await clock.until(redlock.pause(job));
    await clock.advance(60 * MINUTE);
    await clock.until(fire(app, job));
  }
  expect(lists).not.toHaveBeenCalled();
});

it('the records of a job are not read while it is paused', async () => {
  const { app, redlock } = await beforeEleven();
  const looks = vi.spyOn(node, 'look').mockClear();
  const limits = (): unknown[] => looks.mock.calls.map(([, limit]) => limit);
  await clock.until(redlock.pause('report'));
  await clock.advance(MINUTE);
  await clock.until(fire(app, 'report'));
  for (let beats = 1; beats <= 3; beats++) {
    await clock.advance(BEAT);
    expect(limits().length).toBeGreaterThan(beats);
  }
  expect(new Set(limits())).toEqual(new Set([0]));
  await clock.until(redlock.resume('report'));
  await clock.idle();
  expect(ticks).toEqual(['11:00']);
  expect(limits()).toContain(50);
});

it.each([
  ['lock', 1, BEAT],
  ['slow', 0, 500],
] as const)(
  'a job that cannot be read (%s) is looked at again, and no other job is; lines: %i, milliseconds between two looks: %i',
  async (why, lines, pause) => {
    node.refuses = why;
    const logger = new RecordingLogger();
    await beforeEleven([Jobs, Others], logger);
    const looks = vi.spyOn(node, 'look').mockClear();
    await clock.advance(6 * BEAT);
    const names = looks.mock.calls.map(([{ lock }]) => lock.replace('JOB_LOCKER_', ''));
    expect(new Set(names)).toEqual(new Set(['report']));
    expect(names.length).toBeGreaterThanOrEqual((6 * BEAT) / pause - 1);
    expect(names.length).toBeLessThanOrEqual((6 * BEAT) / pause + 6);
    const told = logger.at('warn').filter((line) => line.includes('ticks of "report" cannot be looked for'));
    expect(told).toHaveLength(lines);
    node.refuses = undefined;
    await clock.advance(2 * pause);
    expect(ticks).toEqual(['11:00']);
  },
);

it('a look for missed ticks that fails is logged, and not taken for an outage', async () => {
  const logger = new RecordingLogger();
  const resume = vi.spyOn(JobRunner.prototype, 'runUncalled').mockRejectedValue(new Error('no ticks'));
  onTestFinished(() => resume.mockRestore());
  const { redlock } = await beforeEleven([Jobs], logger);
  await clock.until(redlock.pause('report', { for: '2m' }));
  await clock.advance(2 * MINUTE + BEAT);
  expect(resume).toHaveBeenCalledOnce();
  expect(logger.at('error')).toEqual([
    expect.stringContaining('Looking for missed ticks of "report" failed: Error: no ticks'),
  ]);
});

describe('an application that is closed while a job is paused keeps no timer for the end of the pause', () => {
  it('if it has set one', async () => {
    const { app, redlock } = await beforeEleven();
    const timers = watchTimers();
    const cleared = vi.spyOn(clock, 'clearTimeout');
    await clock.until(redlock.pause('report', { for: '48h' }));
    await clock.idle();
    const [timer, ...others] = timers();
    expect(timer).toBeDefined();
    expect(others).toEqual([]);
    expect(cleared).not.toHaveBeenCalledWith(timer);
    await close(app);
    expect(cleared).toHaveBeenCalledWith(timer);
  });

  it('if the nodes are just being asked about the pause', async () => {
    const { app, redlock } = await beforeEleven();
    const timers = watchTimers();
    let closing: Promise<void> | undefined;
    vi.spyOn(node, 'look').mockImplementationOnce(async (...question) => {
      closing = close(app);
      await closing;
      return node.look(...question);
    });
    await clock.until(redlock.pause('report', { for: '48h' }));
    await clock.idle();
    expect(closing).toBeDefined();
    await closing;
    await clock.idle();
    expect(timers()).toEqual([]);
  });
});
