import { Injectable } from '@nestjs/common';
import { Cron, Interval, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sleep } from '../../src/clock.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start, startFleet } from '../module/application.js';

/** A decorator such as many packages have: it wraps the method, and knows of no metadata. */
const Traced: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
  const original = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = function traced(this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(original, this, args);
  };
};

let clock: ManualClock;
beforeEach(() => void (clock = new ManualClock(newYear().getTime())));

/** An application on the manual clock. */
const startJobs = () => start({ redlock: { nodes: new MemoryNode(clock.now) }, providers: [Jobs], clock });

@Injectable()
class Jobs {
  readonly runs: string[] = [];
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('above'))
  @Exclusive('above')
  async above(): Promise<void> {
    this.note();
  }

  @Exclusive('below')
  @Cron(ONCE_A_YEAR, byHand('below'))
  async below(): Promise<void> {
    this.note();
  }

  @Cron(ONCE_A_YEAR, byHand('far above'))
  @Traced
  @Exclusive('far above')
  async farAbove(): Promise<void> {
    this.note();
  }

  @Cron(ONCE_A_YEAR, byHand('failing'))
  @Exclusive('failing')
  async failing(): Promise<void> {
    this.note();
    throw new Error('This job failed');
  }

  @Cron(ONCE_A_YEAR, byHand('slow'))
  @Exclusive('slow')
  async slow(): Promise<void> {
    this.note();
    await sleep(clock, 600);
  }

  private note(): void {
    const run = this.redlock.current();
    this.runs.push(`${run?.name} ${run?.tick?.toISOString()}`);
  }
}

describe('a cron job', () => {
  it.each(['above', 'below', 'far above'])(
    'that has @Cron %s @Exclusive runs each tick once',
    async (name) => {
      const [one, other] = await startFleet(2, { redlock: { nodes: new MemoryNode() }, providers: [Jobs] });
      for (const app of [one, other, one]) await fire(app!, name);
      const runs = [one, other].flatMap((app) => app!.get(Jobs).runs);
      expect(runs).toEqual([`${name} ${newYear().toISOString()}`]);
    },
  );

  it('that throws has run its tick', async () => {
    const app = await startJobs();
    for (let times = 0; times < 3; times++) await fire(app, 'failing');
    expect(app.get(Jobs).runs).toHaveLength(1);
  });

  it('runs once where the scheduler fires twice at the same time', async () => {
    const app = await startJobs();
    const skipped: string[] = [];
    app.get(RedlockService).on('skipped', ({ reason }) => skipped.push(reason));
    const onTick = (): Promise<void> => app.get(Jobs).slow();
    const job = CronJob.from({ cronTime: ONCE_A_YEAR, timeZone: 'UTC', onTick });
    app.get(SchedulerRegistry).addCronJob('impatient', job);
    for (let times = 0; times < 10; times++) void fire(app, 'impatient');
    await clock.advance(600);
    expect(app.get(Jobs).runs).toHaveLength(1);
    expect(skipped).toEqual(Array.from({ length: 9 }, () => 'elsewhere'));
  });

  it('runs right after its tick when it is called plainly, and takes no tick away', async () => {
    const app = await startJobs();
    const jobs = app.get(Jobs);
    await jobs.above();
    await fire(app, 'above');
    await jobs.above();
    await jobs.above();
    await fire(app, 'above');
    const [plain, tick] = ['above undefined', `above ${newYear().toISOString()}`];
    expect(jobs.runs).toEqual([plain, tick, plain, plain]);
  });

  it('is kept apart from a plain call that runs, and is skipped if that takes long', async () => {
    const app = await startJobs();
    const reasons: string[] = [];
    app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
    await clock.until(Promise.all([app.get(Jobs).slow(), fire(app, 'slow')]));
    expect(app.get(Jobs).runs).toEqual(['slow undefined']);
    expect(reasons).toEqual(['overlap']);
  });

  it('waits for the end of a plain call that is short', async () => {
    const app = await startJobs();
    const plain = app.get(RedlockService).run('slow', () => sleep(clock, 100));
    const tick = fire(app, 'slow');
    await clock.advance(99);
    expect(app.get(Jobs).runs).toEqual([]);
    // A tick that finds an earlier run in progress tries again every 25 to 75 ms.
    await clock.advance(76);
    await plain;
    expect(app.get(Jobs).runs).toEqual([`slow ${newYear().toISOString()}`]);
    await clock.until(tick);
  });
});

@Injectable()
class Timers {
  static readonly started: string[] = [];

  @Interval('interval above', 300)
  @Exclusive('interval above')
  async intervalAbove(): Promise<void> {
    Timers.started.push('interval above');
  }

  @Exclusive('interval below')
  @Interval('interval below', 300)
  async intervalBelow(): Promise<void> {
    Timers.started.push('interval below');
  }

  @Timeout(50)
  @Exclusive('timeout above')
  async timeoutAbove(): Promise<void> {
    Timers.started.push('timeout above');
    await new Promise((resolve) => void setTimeout(resolve, 400));
  }

  @Exclusive('timeout below')
  @Timeout(50)
  async timeoutBelow(): Promise<void> {
    Timers.started.push('timeout below');
    await new Promise((resolve) => void setTimeout(resolve, 400));
  }
}

describe('intervals and timeouts of a fleet', () => {
  // The timers of the scheduler are global ones.
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('run once per interval, and one at a time, in both orders of the decorators', async () => {
    Timers.started.length = 0;
    const count = (name: string): number => Timers.started.filter((started) => started === name).length;
    await startFleet(3, { redlock: { nodes: new MemoryNode() }, providers: [Timers] });
    await vi.advanceTimersByTimeAsync(1500);
    expect(count('interval above')).toBe(5);
    expect(count('interval below')).toBe(5);
    expect(count('timeout above')).toBe(1);
    expect(count('timeout below')).toBe(1);
  });
});
