import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, RedlockModule, RedlockService, ShutdownError } from '../../src/index.js';
import { byHand, close, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServer } from '../module/redis.js';
import { Peer } from './peer-process.js';

const TTL = 1500;
const server = useServer();
let client: Redis;
beforeEach(async () => {
  client = clientOf(server.it);
  await client.flushall();
});

const TICK = newYear().getTime();

@Injectable()
class Jobs {
  readonly starts: (Date | null | undefined)[] = [];
  readonly ends: string[] = [];
  work = 0;
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('recovers'))
  @Exclusive('recovers', { ttl: TTL, recover: true })
  async recovers(): Promise<void> {
    const { tick, signal } = this.redlock.current()!;
    this.starts.push(tick);
    await pause(this.work, undefined, { signal }).catch(() => {});
    this.ends.push(signal.aborted ? (signal.reason as Error).name : 'finished');
  }
}

const startOne = (logger = new RecordingLogger()) =>
  start({ redlock: { nodes: server.it.url, shutdownTimeout: 200 }, providers: [Jobs], logger });
const settled = async (): Promise<number> => Number(await client.get('{JOB_LOCKER_recovers}:last'));

/** An instance that is killed in the middle of a run, as a process of its own. */
async function dieInRun(recover = true): Promise<void> {
  const options = { ttl: TTL, recover };
  const peer = await Peer.start({
    url: server.it.url,
    job: 'recovers',
    when: ONCE_A_YEAR,
    work: 60_000,
    options,
    fire: true,
  });
  await peer.has('started');
  await peer.kill();
}

describe('an instance that starts', () => {
  it('runs a tick again that was begun by an instance that is dead, though nobody else was there', async () => {
    await dieInRun();
    const logger = new RecordingLogger();
    const app = await startOne(logger);
    await expect.poll(() => app.get(Jobs).ends, { timeout: TTL + 2000 }).toEqual(['finished']);
    expect(app.get(Jobs).starts).toEqual([newYear()]);
    await expect.poll(settled).toBe(TICK);
    expect(logger.at('log').filter((line) => line.startsWith('Takes over'))).toEqual([
      expect.stringMatching(
        new RegExp(
          `the tick of ${newYear().toISOString()} of "recovers" from ".+:\\d+:.+", which did not finish it`,
        ),
      ),
    ]);
  });

  it('does so long after the lease has ended, too', async () => {
    await dieInRun();
    await pause(TTL + 1200);
    expect(await client.exists('JOB_LOCKER_recovers')).toBe(0);
    const app = await startOne();
    await expect.poll(() => app.get(Jobs).ends).toEqual(['finished']);
  });

  it.each([
    ['nobody has begun', async () => {}],
    ['was begun without recover', () => dieInRun(false)],
    ['is settled', async () => void (await client.set('{JOB_LOCKER_recovers}:last', TICK))],
  ])('leaves a tick alone that %s', async (_what, prepare) => {
    await prepare();
    const app = await startOne();
    const events: string[] = [];
    app.get(RedlockService).on('skipped', () => events.push('skipped'));
    await pause(TTL + 1500);
    expect(app.get(Jobs).starts).toEqual([]);
    expect(events).toEqual([]);
  });

  it('leaves it alone where its scheduler does not run the job', async () => {
    await dieInRun();
    await pause(TTL);
    const off = await Test.createTestingModule({
      imports: [ScheduleModule.forRoot({ cronJobs: false }), RedlockModule.forRoot({ nodes: server.it.url })],
      providers: [Jobs],
    })
      .setLogger(new RecordingLogger())
      .compile();
    await off.init();
    await pause(1500);
    expect(off.get(Jobs).starts).toEqual([]);
    await off.close();
  });

  it('finds one of the ticks before the latest one', async () => {
    @Injectable()
    class Often {
      readonly ticks: (number | undefined)[] = [];
      constructor(readonly redlock: RedlockService) {}
      @Cron('* * * * * *', { timeZone: 'UTC' })
      @Exclusive('often', { ttl: TTL, recover: true })
      async often(): Promise<void> {
        this.ticks.push(this.redlock.current()?.tick?.getTime());
      }
    }
    // Long enough before the next tick, after which it would be too old.
    await pause(1050 - (Date.now() % 1000));
    const begun = Math.floor(Date.now() / 1000) * 1000 - 3000;
    await client.set(`{JOB_LOCKER_often}:tick:${begun}`, 'dead#1 (recover)', 'PX', 24 * 60 * 60 * 1000);
    const app = await start({ redlock: { nodes: server.it.url }, providers: [Often] });
    await expect.poll(() => app.get(Often).ticks).toContain(begun);
  });
});

it('a run that ignores its maxRuntime is not taken over while it goes on', { timeout: 40_000 }, async () => {
  const stop = new AbortController();
  const starts: number[] = [];
  @Injectable()
  class Stuck {
    @Cron(ONCE_A_YEAR, byHand('stuck'))
    @Exclusive('stuck', { ttl: TTL, recover: true, maxRuntime: 300 })
    async stuck(): Promise<void> {
      starts.push(Date.now());
      await pause(2.5 * TTL, undefined, { signal: stop.signal }).catch(() => {});
    }
  }
  const parts = { redlock: { nodes: server.it.url, shutdownTimeout: 1 }, providers: [Stuck] };
  const apps = [await start(parts), await start(parts)];
  const aborted: string[] = [];
  for (const app of apps) app.get(RedlockService).on('aborted', ({ error }) => aborted.push(error.name));
  const runs = apps.map((app) => fire(app, 'stuck'));
  await Promise.all(runs);
  expect(starts).toHaveLength(1);
  expect(aborted).toEqual(['RunTimeoutError']);
  await pause(TTL + 500);
  expect(starts).toHaveLength(1);
});

/** Calls the method a moment later, and does not wait for it. */
const Deferred: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
  const original = descriptor.value as () => Promise<void>;
  descriptor.value = function (this: unknown): void {
    setTimeout(() => void Reflect.apply(original, this, []), 300);
  };
};

it(
  'a tick that is taken over at start, and called only later, is run once',
  { timeout: 40_000 },
  async () => {
    const runs: string[] = [];
    @Injectable()
    class Later {
      @Cron(ONCE_A_YEAR, byHand('recovers'))
      @Deferred
      @Exclusive('recovers', { ttl: TTL, recover: true })
      async recovers(): Promise<void> {
        runs.push('begin');
        await pause(800);
        runs.push('end');
      }
    }
    await dieInRun();
    await pause(TTL + 1200);
    for (let instances = 0; instances < 3; instances++) {
      await start({ redlock: { nodes: server.it.url }, providers: [Later] });
    }
    await expect.poll(settled, { timeout: 5000 }).toBe(TICK);
    await pause(1000);
    expect(runs).toEqual(['begin', 'end']);
  },
);

describe('a run that shutdown cuts off', () => {
  it('is run again by another instance, with recover', { timeout: 40_000 }, async () => {
    const [old, other] = [await startOne(), await startOne()];
    old.get(Jobs).work = 60_000;
    const aborted: Error[] = [];
    old.get(RedlockService).on('aborted', ({ error }) => aborted.push(error));
    const run = fire(old, 'recovers');
    await expect.poll(() => old.get(Jobs).starts.length).toBe(1);
    await fire(other, 'recovers');
    await close(old);
    await run;
    expect(old.get(Jobs).ends).toEqual(['ShutdownError']);
    expect(aborted).toEqual([expect.any(ShutdownError)]);
    expect(aborted[0]?.message).toContain('another instance takes over its tick');
    await expect.poll(() => other.get(Jobs).ends, { timeout: 2 * TTL + 2000 }).toEqual(['finished']);
    expect(other.get(Jobs).starts).toEqual([newYear()]);
    await expect.poll(settled).toBe(TICK);
  });

  it('is run again by an instance that starts after it, with recover', { timeout: 40_000 }, async () => {
    const old = await startOne();
    old.get(Jobs).work = 60_000;
    const run = fire(old, 'recovers');
    await expect.poll(() => old.get(Jobs).starts.length).toBe(1);
    await close(old);
    await run;
    expect(await settled()).toBe(0);
    const fresh = await startOne();
    await expect.poll(() => fresh.get(Jobs).ends, { timeout: 2 * TTL + 2000 }).toEqual(['finished']);
    await expect.poll(settled).toBe(TICK);
  });

  it(
    'is run again, with recover, also if it had gone on beyond its maxRuntime',
    { timeout: 40_000 },
    async () => {
      const stop = new AbortController();
      let starts = 0;
      @Injectable()
      class Stuck {
        @Cron(ONCE_A_YEAR, byHand('recovers'))
        @Exclusive('recovers', { ttl: TTL, recover: true, maxRuntime: 300 })
        async recovers(): Promise<void> {
          if (++starts === 1) await pause(60_000, undefined, { signal: stop.signal }).catch(() => {});
        }
      }
      const parts = { redlock: { nodes: server.it.url, shutdownTimeout: 1 }, providers: [Stuck] };
      const old = await start(parts);
      const aborted: string[] = [];
      old.get(RedlockService).on('aborted', ({ error }) => aborted.push(error.name));
      const run = fire(old, 'recovers');
      await expect.poll(() => aborted).toEqual(['RunTimeoutError']);
      await close(old);
      stop.abort();
      await run;
      expect(await settled()).toBe(0);
      await start(parts);
      await expect.poll(() => starts, { timeout: 2 * TTL + 2000 }).toBe(2);
      await expect.poll(settled).toBe(TICK);
    },
  );
});
