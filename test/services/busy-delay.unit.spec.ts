import { performance } from 'node:perf_hooks';
import { Injectable, Module } from '@nestjs/common';
import { Cron, Interval, ScheduleModule } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { CronTime } from 'cron';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Exclusive, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { timingOf } from '../../src/runs/claim-timing.js';
import type { RunRequest } from '../../src/runs/run-request.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { CronFiring, fire as inFiring, IntervalFiring } from '../../src/schedule/firing.js';
import { BusyDelay, busyDelayOf } from '../../src/services/busy-delay.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { TestFleet } from '../../src/testing/index.js';
import { byHand, close, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { Gate } from './gate.js';

const NEW_YEAR = newYear().getTime();
/** The spread of a job, and the offset that follows from its name. */
const SPREAD = 30_000;
const OFFSET = 11_959;

let clock: ManualClock;
let nodes: MemoryNode;
/** Holds back the runs that are to take long. */
let gate: Gate;

beforeEach(() => {
  clock = new ManualClock(NEW_YEAR);
  nodes = new MemoryNode(clock.now);
  gate = new Gate();
  gate.close();
});
afterEach(() => {
  gate.open();
  vi.restoreAllMocks();
});

@Injectable()
class Jobs {
  readonly runs: number[] = [];

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<void> {
    this.runs.push(clock.elapsed());
  }

  @Exclusive('long')
  async long(): Promise<void> {
    await gate.until;
  }

  @Exclusive('export')
  async export(): Promise<void> {
    await gate.until;
  }

  @Cron(ONCE_A_YEAR, byHand('import'))
  @Exclusive('import', { spread: SPREAD })
  async import(): Promise<void> {
    this.runs.push(clock.elapsed());
  }

  @Interval(60_000)
  @Exclusive('poll')
  async poll(): Promise<void> {
    this.runs.push(clock.elapsed());
  }
}

interface Instance {
  readonly app: TestingModule;
  readonly jobs: Jobs;
  readonly reasons: string[];
}

async function instance(): Promise<Instance> {
  const app = await start({ redlock: { nodes, shutdownTimeout: 1 }, providers: [Jobs], clock });
  const reasons: string[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  return { app, jobs: app.get(Jobs), reasons };
}

/** An instance with a run in progress. */
async function busyInstance(): Promise<Instance> {
  const busy = await instance();
  void busy.jobs.long();
  await clock.advance(0);
  return busy;
}

describe('the delay of a busy instance', () => {
  it.each<[runs: number, utilization: number, delay: number]>([
    [0, 0, 0],
    [0, 0.89, 0],
    [0, 0.9, 4],
    [0, 1, 4],
    [1, 0, 2],
    [1, 0.89, 2],
    [2, 0, 3],
    [3, 0, 3],
    [4, 0, 4],
    [4, 1, 5],
    [7, 0, 4],
    [8, 0, 5],
    [8, 1, 5],
    [10_000, 1, 5],
  ])('with %d runs in progress and a utilization of %d is %d ms', (runs, utilization, delay) => {
    expect(busyDelayOf(runs, utilization)).toBe(delay);
  });
});

describe('the utilization of the event loop', () => {
  let [active, idle] = [0, 0];
  beforeEach(() => {
    [active, idle] = [1000, 1000];
    vi.spyOn(performance, 'now').mockImplementation(() => active + idle);
    vi.spyOn(performance, 'eventLoopUtilization').mockImplementation((since) => {
      // It must not be taken as it was before the instance started.
      const busy = active - (since?.active ?? 0);
      return { active, idle, utilization: since ? busy / (busy + idle - since.idle) : 1 };
    });
  });

  it('is that since the last look at it', () => {
    const delay = new BusyDelay();
    expect(delay.of(0)).toBe(0);
    [active, idle] = [active + 950, idle + 50];
    expect(delay.of(0)).toBe(busyDelayOf(0, 0.95));
    idle += 10_000;
    expect(delay.of(0)).toBe(0);
    active += 600;
    expect(delay.of(0)).toBe(busyDelayOf(0, 1));
  });

  it('is observed for half a second at least: the claims of one turn of the loop get the same delay', () => {
    const delay = new BusyDelay();
    active += 499;
    expect(delay.of(0)).toBe(0);
    active += 1;
    expect(delay.of(0)).toBe(busyDelayOf(0, 1));
    idle += 499;
    expect(delay.of(0)).toBe(busyDelayOf(0, 1));
    idle += 1;
    expect(delay.of(0)).toBe(0);
  });
});

describe('a tick', () => {
  it('is run by the instance with no run in progress, even if that fires later', async () => {
    const [busy, idle] = [await busyInstance(), await instance()];
    const firings = [fire(busy.app, 'report')];
    await clock.advance(1);
    firings.push(fire(idle.app, 'report'));
    await clock.until(Promise.all(firings));
    expect(busy.jobs.runs).toEqual([]);
    expect(busy.reasons).toEqual(['settled']);
    expect(idle.jobs.runs).toEqual([1]);
  });

  it('is run by the instance with fewer runs in progress, if all have some', async () => {
    const [busier, busy] = [await busyInstance(), await instance()];
    void busier.jobs.export();
    void busy.app.get(RedlockService).run('other', () => gate.until);
    await clock.advance(0);
    await clock.until(Promise.all([fire(busier.app, 'report'), fire(busy.app, 'report')]));
    expect(busier.jobs.runs).toEqual([]);
    expect(busy.jobs.runs).toEqual([2]);
  });

  it('is not lost if no other instance claims it: the busy one runs it, a little later', async () => {
    const busy = await busyInstance();
    await clock.until(fire(busy.app, 'report'));
    expect(busy.jobs.runs).toEqual([2]);
  });

  it('is claimed at once, without a timer, by an idle instance', async () => {
    const idle = await instance();
    const timer = vi.spyOn(clock, 'setTimeout');
    const claim = vi.spyOn(nodes, 'claim').mockImplementation(() => {
      expect(timer).not.toHaveBeenCalled();
      return Promise.resolve({ kind: 'denied', reason: 'settled' } as never);
    });
    void fire(idle.app, 'report');
    // In the same turn of the event loop, before any promise has settled.
    expect(claim).toHaveBeenCalledOnce();
    await clock.advance(0);
  });

  it('is claimed at once when the runs in progress have ended', async () => {
    const busy = await busyInstance();
    gate.open();
    await clock.advance(0);
    await clock.until(fire(busy.app, 'report'));
    expect(busy.jobs.runs).toEqual([0]);
  });

  it('is claimed at once by an instance that holds nothing but locks', async () => {
    const idle = await instance();
    const lock = await idle.app.get(RedlockService).lock('other');
    await clock.until(fire(idle.app, 'report'));
    expect(idle.jobs.runs).toEqual([0]);
    await lock?.release();
  });

  it('with a spread waits for as long as the instance is busy when its offset has passed', async () => {
    const [first, second] = [await busyInstance(), await instance()];
    const firings = [fire(first.app, 'import'), fire(second.app, 'import')];
    await clock.advance(OFFSET - 1000);
    gate.open();
    gate.close();
    await clock.advance(0);
    void second.jobs.export();
    await clock.until(Promise.all(firings));
    expect(first.jobs.runs).toEqual([OFFSET]);
    expect(second.jobs.runs).toEqual([]);
  });

  it('is left to the other instances by a shutdown during the delay, which does not wait', async () => {
    const busy = await busyInstance();
    const firing = fire(busy.app, 'report');
    await clock.advance(1);
    gate.open();
    await close(busy.app);
    await firing;
    expect(busy.reasons).toEqual(['shutdown']);
    expect(busy.jobs.runs).toEqual([]);
    const other = await instance();
    await fire(other.app, 'report');
    expect(other.jobs.runs).toEqual([1]);
  });

  it('with "buffer-one" that finds a run on the same instance is the first to wait for it', async () => {
    const ticks = new CronTicks(new CronTime('*/10 * * * * *', 'UTC'));
    const starts: number[] = [];
    const fleet = [await instance(), await instance(), await instance()];
    const firings = (): Promise<unknown> =>
      Promise.all(
        fleet.map(({ app }) =>
          inFiring(new CronFiring(app, ticks, clock.now(), clock), () =>
            app.get(RedlockService).run(
              'slow',
              async () => {
                starts.push(clock.elapsed());
                await gate.until;
              },
              { overlap: 'buffer-one' },
            ),
          ),
        ),
      );
    void firings();
    await clock.advance(10_000);
    const second = firings();
    await clock.advance(7000);
    gate.open();
    await clock.until(second);
    expect(starts).toEqual([0, 17_000]);
  });
});

describe('a busy instance', () => {
  it.each<[string, (instance: Instance) => Promise<unknown>]>([
    ['a plain call', ({ jobs }) => jobs.report()],
    ['a run that is triggered', ({ app }) => app.get(RedlockService).trigger('report')],
    [
      'an interval',
      ({ jobs }) => inFiring(new IntervalFiring(60_000, clock.now(), clock), () => jobs.poll()),
    ],
  ])('does not delay %s', async (_what, call) => {
    const busy = await busyInstance();
    await clock.until(call(busy));
    expect(busy.jobs.runs).toEqual([0]);
  });

  it('does not delay a lock', async () => {
    const busy = await busyInstance();
    const lock = await clock.until(busy.app.get(RedlockService).lock('report'));
    expect(lock).not.toBeNull();
    expect(clock.elapsed()).toBe(0);
    await lock?.release();
  });
});

describe('a claim yields to instances that are less busy', () => {
  const tick = { at: NEW_YEAR, next: NEW_YEAR + 60_000, keep: 60_000 };
  const options = { ...resolveOptions({ nodes: 'memory' }).job, every: undefined };
  const yields = (changes: Partial<RunRequest>) =>
    timingOf('JOB_LOCKER', { name: 'report', options, tick, ...changes }, NEW_YEAR, []).yields;

  it.each<[string, Partial<RunRequest>, boolean]>([
    ['for a tick', {}, true],
    ['not for a plain call', { tick: undefined }, false],
    ['not for a takeover', { past: 'perhaps begun' }, false],
    ['not for a second call in a firing', { past: 'run here' }, false],
    ['not for a tick that was missed', { trigger: 'catch-up' }, false],
    ['not for a manual run', { trigger: 'manual' }, false],
  ])('%s', (_what, changes, expected) => {
    expect(yields(changes)).toBe(expected);
  });
});

describe('in a fleet of a test, a busy instance', () => {
  it('goes first when it is its turn, and the clock stands still', async () => {
    @Injectable()
    class Both {
      @Cron('0 */10 * * * *', { name: 'import', waitForCompletion: true })
      @Exclusive('import')
      async import(): Promise<void> {
        await gate.until;
      }

      @Cron('0 */10 * * * *', { name: 'report', waitForCompletion: true })
      @Exclusive('report')
      async report(): Promise<void> {}
    }

    @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Both] })
    class AppModule {}

    const fleet = await TestFleet.create(AppModule, { now: new Date('2031-05-07T09:30:05Z') });
    await fleet.fire('report');
    // The second instance goes first, and is busy from then on.
    const first = fleet.fire('import');
    await expect.poll(() => fleet.now.toISOString()).toBe('2031-05-07T09:50:00.000Z');
    // The first one's turn.
    await fleet.fire('report', fleet.now);
    const [, second] = await fleet.fire('report');
    expect(second?.ran).toBe(true);
    expect(fleet.now.toISOString()).toBe('2031-05-07T10:00:00.000Z');
    gate.open();
    await first;
    await fleet.close();
  });
});
