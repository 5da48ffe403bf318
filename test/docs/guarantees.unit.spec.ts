/** The statements of docs/guarantees.md that have no test where the code is tested. */
import { Injectable } from '@nestjs/common';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createStore } from '../../src/acquire/create-store.js';
import { sleep } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockService, type SkipReason } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import type { NodeReport } from '../../src/nodes/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { claimOf, deadNode, newName } from '../nodes/support.js';

const TTL = 2000;
const TICK = newYear().getTime();

let clock: ManualClock;
let node: MemoryNode;
beforeEach(() => {
  clock = new ManualClock(TICK);
  node = new MemoryNode(clock.now);
});

/** Begins a tick as an instance does that dies at once. */
async function beginAndDie(name: string, at: number): Promise<void> {
  const keys = new JobKeys('JOB_LOCKER', name);
  const tick = { key: keys.tick(at), last: keys.last, at, keep: 24 * 3_600_000, recover: true };
  expect(await node.claim({ lock: keys.lock, tick }, `dead ${at}`, TTL)).toMatchObject({ kind: 'granted' });
  await node.claim({ lock: 'another' }, 'other', TTL);
}

describe('a job that throws', () => {
  @Injectable()
  class Jobs {
    runs = 0;
    @Cron(ONCE_A_YEAR, byHand('broken'))
    @Exclusive('broken', { recover: true })
    async broken(): Promise<void> {
      this.runs++;
      throw new Error('no data');
    }
  }

  it('has run its tick, and its error reaches the caller and the log of the scheduler', async () => {
    const logger = new RecordingLogger();
    const apps = await startFleet(2, { redlock: { nodes: node }, providers: [Jobs], clock, logger });
    for (const app of apps) await clock.until(fire(app, 'broken'));
    await clock.advance(600_000);
    expect(apps.map((app) => app.get(Jobs).runs)).toEqual([1, 0]);
    expect(logger.at('error').filter((line) => line.includes('no data'))).toHaveLength(1);
    await expect(apps[0]!.get(Jobs).broken()).rejects.toThrow('no data');
  });
});

it('a run that stops at its maxRuntime has run its tick: nobody takes it over', async () => {
  @Injectable()
  class Jobs {
    runs = 0;
    constructor(readonly redlock: RedlockService) {}
    @Cron(ONCE_A_YEAR, byHand('long'))
    @Exclusive('long', { recover: true, ttl: TTL, maxRuntime: 500 })
    async long(): Promise<void> {
      this.runs++;
      await sleep(clock, 600);
      this.redlock.current()?.signal.throwIfAborted();
    }
  }
  const parts = { redlock: { nodes: node }, providers: [Jobs], clock };
  const apps = await startFleet(2, parts);
  await clock.until(Promise.all(apps.map((app) => fire(app, 'long'))));
  await clock.advance(10 * TTL);
  expect(apps.reduce((sum, app) => sum + app.get(Jobs).runs, 0)).toBe(1);
});

it("with overlap: 'allow', runs overlap, and each tick still runs once", async () => {
  let running = 0;
  let most = 0;
  const runs: (number | undefined)[] = [];
  @Injectable()
  class Jobs {
    constructor(readonly redlock: RedlockService) {}
    @Cron(ONCE_A_YEAR, byHand('wide'))
    @Exclusive('wide', { overlap: 'allow' })
    async wide(): Promise<void> {
      runs.push(this.redlock.current()?.tick?.getTime());
      most = Math.max(most, ++running);
      await sleep(clock, 1000);
      running--;
    }
  }
  const apps = await startFleet(2, { redlock: { nodes: node }, providers: [Jobs], clock });
  const firings = Promise.all([...apps, ...apps].map((app) => fire(app, 'wide')));
  await clock.until(Promise.all([firings, apps[1]!.get(Jobs).wide()]));
  expect(most).toBe(2);
  expect(runs.filter((tick) => tick !== undefined)).toEqual([TICK]);
});

it('a tick that no instance began is run by fireOnTick() later, once over the fleet', async () => {
  let isDown = true;
  class Flaky extends MemoryNode {
    override claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
      return isDown ? Promise.reject(new Error('down')) : super.claim(...args);
    }
  }
  const runs: (Date | null | undefined)[] = [];
  @Injectable()
  class Jobs {
    constructor(readonly redlock: RedlockService) {}
    @Cron(ONCE_A_YEAR, byHand('report'))
    @Exclusive('report', { recover: true })
    report(): void {
      runs.push(this.redlock.current()?.tick);
    }
  }
  const apps = await startFleet(2, { redlock: { nodes: new Flaky(clock.now) }, providers: [Jobs], clock });
  await clock.until(Promise.all(apps.map((app) => fire(app, 'report'))));
  isDown = false;
  await clock.advance(600_000);
  expect(runs).toEqual([]);
  for (const app of apps) await clock.until(app.get(SchedulerRegistry).getCronJob('report').fireOnTick());
  expect(runs).toEqual([newYear()]);
});

describe('an instance that starts', () => {
  const MINUTE = 60_000;
  let ticks: (number | undefined)[];
  let calls: string[];
  beforeEach(() => {
    ticks = [];
    calls = [];
  });

  const Above: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
    const original = descriptor.value as () => unknown;
    descriptor.value = function (this: unknown): unknown {
      calls.push('above');
      return Reflect.apply(original, this, []);
    };
  };

  @Injectable()
  class Jobs {
    constructor(readonly redlock: RedlockService) {}
    @Cron('* * * * *', { name: 'often', timeZone: 'UTC' })
    @Above
    @Exclusive('often', { ttl: TTL, recover: true })
    async often(): Promise<void> {
      ticks.push(this.redlock.current()?.tick?.getTime());
    }
    @Cron(ONCE_A_YEAR, byHand('of'))
    @Exclusive((tenant: string) => `of ${tenant}`, { ttl: TTL, recover: true })
    async of(_tenant: string): Promise<void> {
      calls.push('of');
    }
  }

  it.each([
    ['the tenth tick from the latest', 9, [TICK]],
    ['not the eleventh', 10, []],
  ])('runs %s again that was begun and not settled, by the whole method', async (_what, back, found) => {
    await beginAndDie('often', TICK);
    await clock.advance(back * MINUTE + 5000);
    const claims = vi.spyOn(node, 'claim');
    await start({ redlock: { nodes: node }, providers: [Jobs], clock });
    await clock.idle();
    expect(claims.mock.calls.length).toBeGreaterThanOrEqual(10);
    await clock.advance(10);
    expect(ticks).toEqual(found);
    expect(calls).toEqual(found.map(() => 'above'));
  });

  it('does not look for the ticks of a name that needs arguments', async () => {
    await beginAndDie('of shop', TICK);
    await clock.advance(TTL);
    const claims = vi.spyOn(node, 'claim');
    await start({ redlock: { nodes: node }, providers: [Jobs], clock });
    await clock.idle();
    expect(claims).toHaveBeenCalled();
    await clock.advance(10 * TTL);
    expect(claims.mock.calls.map(([{ lock }]) => lock)).not.toContain('JOB_LOCKER_of shop');
    expect(calls).not.toContain('of');
  });

  it('has lost a tick and takes it over, without the decorators above @Exclusive', async () => {
    const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
    await beginAndDie('often', TICK);
    await clock.until(fire(app, 'often'));
    calls = [];
    await clock.advance(TTL + 1000);
    expect(ticks).toEqual([TICK]);
    expect(calls).toEqual([]);
  });
});

it('an abort listener of a run that was frozen past its lease is called by a timer, and not at once', async () => {
  const redlock = (await start({ redlock: { nodes: node }, clock })).get(RedlockService);
  const seen: number[] = [];
  let heard = 0;
  const run = redlock.run(
    'frozen',
    async ({ signal }) => {
      signal.addEventListener('abort', () => heard++);
      clock.freeze(10 * TTL);
      seen.push(heard);
      await sleep(clock, 1);
      seen.push(heard);
    },
    { ttl: TTL },
  );
  await clock.until(run);
  expect(seen).toEqual([0, 1]);
});

it.each([
  [14_900, 0],
  [15_000, 1],
  [-15_000, 1],
])('a node whose clock is off by %d ms at startup causes %d warning(s)', async (clockOffset, count) => {
  class Drifted extends MemoryNode {
    override async open(): Promise<NodeReport> {
      return { ...(await super.open()), clockOffset };
    }
  }
  const logger = new RecordingLogger();
  await start({ redlock: { nodes: new Drifted(clock.now) }, clock, logger });
  expect(logger.at('warn').filter((line) => line.startsWith('The clock of node'))).toHaveLength(count);
});

it.each<[nodes: number, dead: number, kind: string, reason?: SkipReason]>([
  [3, 1, 'granted'],
  [3, 2, 'denied', 'store-down'],
  [4, 1, 'granted'],
  [4, 2, 'denied', 'store-down'],
  [5, 2, 'granted'],
  [5, 3, 'denied', 'store-down'],
])('of %d nodes, %d may be dead: %s', async (count, dead, kind, reason) => {
  const nodes = Array.from({ length: count }, (_none, index) =>
    index < dead ? deadNode() : new MemoryNode(clock.now),
  );
  expect(await createStore(nodes, clock).vote(claimOf(newName()), TTL)).toMatchObject(
    reason ? { kind, reason } : { kind },
  );
});

it('a clock that lags runs old ticks only until a newer one is settled', async () => {
  expect(await node.claim(claimOf('report', TICK - 15_000), 'lags', TTL)).toMatchObject({ kind: 'granted' });
  expect(await node.claim(claimOf('report', TICK), 'on time', TTL)).toMatchObject({ kind: 'overlap' });
  await node.settle(claimOf('report', TICK - 15_000), 'lags');
  expect(await node.claim(claimOf('report', TICK), 'on time', TTL)).toMatchObject({ kind: 'granted' });
  await node.settle(claimOf('report', TICK), 'on time');
  expect(await node.claim(claimOf('report', TICK - 5000), 'lags', TTL)).toMatchObject({ kind: 'settled' });
});
