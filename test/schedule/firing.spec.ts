import { AsyncResource } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { CronJob, CronTime } from 'cron';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockService, StoreDownError } from '../../src/index.js';
import { CronFiring, currentFiring, fire as inFiring } from '../../src/schedule/firing.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start, startFleet } from '../module/application.js';
import { clientOf, useServer } from '../module/redis.js';

const server = useServer();
let client: Redis;
beforeEach(async () => {
  client = clientOf(server.it);
  await client.flushall();
});
const onRedis = () => ({ nodes: server.it.url });

type Method = (...args: unknown[]) => Promise<unknown>;

/** A decorator that calls the method in a way of its own. */
function calling(way: (method: Method, args: unknown[]) => unknown): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const method = descriptor.value as Method;
    descriptor.value = function (this: unknown, ...args: unknown[]): unknown {
      return way(
        (...given) => Reflect.apply<unknown, unknown[], Promise<unknown>>(method, this, given),
        args,
      );
    };
  };
}

const Dropping = calling((method) => method());
const Adding = calling((method, args) => method(...args, { traceId: 7 }));
const Changing = calling((method) => method('something else'));
const Deferring = calling(async (method, args) => {
  await pause(20);
  return method(...args);
});
const Retrying = calling(async (method, args) => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await method(...args);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
});

@Injectable()
class Jobs {
  readonly runs: string[] = [];
  readonly tokens: (number | null | undefined)[] = [];
  failures = 0;
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('dropping')) @Dropping @Exclusive('dropping') async dropping(): Promise<void> {
    this.note('dropping');
  }

  @Cron(ONCE_A_YEAR, byHand('adding')) @Adding @Exclusive('adding') async adding(): Promise<void> {
    this.note('adding');
  }

  @Cron(ONCE_A_YEAR, byHand('changing')) @Changing @Exclusive('changing') async changing(): Promise<void> {
    this.note('changing');
  }

  @Cron(ONCE_A_YEAR, byHand('deferring'))
  @Deferring
  @Exclusive('deferring')
  async deferring(): Promise<void> {
    this.note('deferring');
  }

  @Cron(ONCE_A_YEAR, byHand('retrying'))
  @Retrying
  @Exclusive('retrying')
  async retrying(): Promise<string> {
    this.note('retrying');
    if (this.failures-- > 0) throw new Error('The bank is away');
    return 'done';
  }

  @Cron(ONCE_A_YEAR, byHand('optional')) @Exclusive('optional') async optional(
    since?: Date,
  ): Promise<string> {
    this.note(`optional ${since === undefined}`);
    return 'synced';
  }

  /** On no schedule of its own. */
  @Exclusive('configured') async configured(): Promise<void> {
    this.note('configured');
    await pause(20);
  }

  protected note(what: string): void {
    this.runs.push(what);
    this.tokens.push(this.redlock.current()?.fencingToken);
  }
}

/** Fires a cron job on all instances at the same time, and then once more on each. */
async function fireOnAll(apps: Awaited<ReturnType<typeof startFleet>>, job: string): Promise<string[]> {
  await Promise.all(apps.map((app) => fire(app, job)));
  for (const app of apps) await fire(app, job);
  return apps.flatMap((app) => app.get(Jobs).runs);
}

describe('the call of the scheduler', () => {
  it.each(['dropping', 'adding', 'changing', 'deferring'])(
    'is known for what it is where a decorator stands in between that is %s its arguments',
    async (job) => {
      const apps = await startFleet(3, { redlock: onRedis(), providers: [Jobs] });
      expect(await fireOnAll(apps, job)).toEqual([job]);
      expect(apps.flatMap((app) => app.get(Jobs).tokens)).toEqual([newYear().getTime()]);
    },
  );

  it('is known in a job that is registered before the application has started, or after', async () => {
    @Injectable()
    class Dynamic implements OnModuleInit {
      constructor(
        readonly jobs: Jobs,
        readonly registry: SchedulerRegistry,
      ) {}

      onModuleInit(): void {
        this.add('early');
      }

      add(name: string): void {
        this.registry.addCronJob(
          name,
          CronJob.from({
            cronTime: ONCE_A_YEAR,
            timeZone: 'UTC',
            waitForCompletion: true,
            onTick: () => this.jobs.configured(),
          }),
        );
      }
    }
    const apps = await startFleet(3, { redlock: onRedis(), providers: [Jobs, Dynamic] });
    expect(await fireOnAll(apps, 'early')).toEqual(['configured']);
    await client.flushall();
    for (const app of apps) app.get(Dynamic).add('late');
    expect(await fireOnAll(apps, 'late')).toEqual(['configured', 'configured']);
  });

  it('is known in a job that fires while other providers are still being created', async () => {
    const runs: (Date | null | undefined)[] = [];
    @Injectable()
    class Eager {
      constructor(
        readonly redlock: RedlockService,
        readonly registry: SchedulerRegistry,
      ) {
        const onTick = async (): Promise<void> => {
          await redlock.run('eager', () => runs.push(redlock.current()?.tick));
        };
        registry.addCronJob('eager', CronJob.from({ cronTime: ONCE_A_YEAR, ...byHand('eager'), onTick }));
      }
    }
    const slow = {
      provide: 'slow',
      inject: [SchedulerRegistry, Eager],
      useFactory: (registry: SchedulerRegistry) => registry.getCronJob('eager').fireOnTick(),
    };
    for (let count = 0; count < 2; count++) await start({ redlock: onRedis(), providers: [Eager, slow] });
    expect(runs).toEqual([newYear()]);
  });

  it('is known where it reaches run() of the service', async () => {
    const apps = await startFleet(3, { redlock: onRedis(), providers: [Jobs] });
    for (const app of apps) {
      const { redlock, runs } = app.get(Jobs);
      const job = CronJob.from({
        cronTime: ONCE_A_YEAR,
        timeZone: 'UTC',
        waitForCompletion: true,
        onTick: async () => void (await redlock.run('by service', () => runs.push('by service'))),
      });
      app.get(SchedulerRegistry).addCronJob('by service', job);
    }
    expect(await fireOnAll(apps, 'by service')).toEqual(['by service']);
  });

  it('is known in an override that calls the method of its base class', async () => {
    @Injectable()
    class Override extends Jobs {
      @Cron(ONCE_A_YEAR, byHand('override'))
      override async dropping(): Promise<void> {
        await super.dropping();
      }
    }
    const apps = await startFleet(3, { redlock: onRedis(), providers: [Override] });
    await Promise.all(apps.map((app) => fire(app, 'override')));
    expect(apps.flatMap((app) => app.get(Override).runs)).toEqual(['dropping']);
  });

  it('is known after a queue and after a debounce', async () => {
    let queue: Promise<unknown> = Promise.resolve();
    const apps = await startFleet(2, { redlock: onRedis(), providers: [Jobs] });
    for (const app of apps) {
      const jobs = app.get(Jobs);
      const onTick = (): void => {
        queue = queue.then(() => pause(50)).then(() => jobs.configured());
        setTimeout(() => void jobs.redlock.run('debounced', () => jobs.runs.push('debounced')), 60);
      };
      app
        .get(SchedulerRegistry)
        .addCronJob('queued', CronJob.from({ cronTime: ONCE_A_YEAR, timeZone: 'UTC', onTick }));
    }
    await Promise.all(apps.map((app) => fire(app, 'queued')));
    await pause(400);
    await queue;
    expect(apps.flatMap((app) => app.get(Jobs).runs).toSorted()).toEqual(['configured', 'debounced']);
  });

  it('is for the schedule that the job has by then', async () => {
    const app = await start({ redlock: onRedis(), providers: [Jobs] });
    app.get(SchedulerRegistry).getCronJob('dropping').setTime(new CronTime('0 0 0 1 2 *', 'UTC'));
    await fire(app, 'dropping');
    expect(new Date(app.get(Jobs).tokens[0] ?? 0).getUTCMonth()).toBe(1);
  });
});

describe('what a run calls in its firing', () => {
  it('belongs to that run, and is called each time', async () => {
    const runs: string[] = [];
    @Injectable()
    class Nested {
      constructor(readonly redlock: RedlockService) {}

      @Cron(ONCE_A_YEAR, byHand('outer'))
      @Exclusive('outer')
      async outer(): Promise<void> {
        for (const tenant of ['a', 'b']) await this.inner(tenant);
      }

      @Exclusive('inner')
      async inner(tenant: string): Promise<void> {
        runs.push(`${tenant} ${this.redlock.current()?.fencingToken}`);
      }
    }
    const apps = await startFleet(3, { redlock: onRedis(), providers: [Nested] });
    // As by an instance that died in it.
    await client.set(`{JOB_LOCKER_inner}:tick:${newYear().getTime()}`, 'dead#1', 'PX', 60_000);
    await Promise.all(apps.map((app) => fire(app, 'outer')));
    expect(runs).toEqual(['a', 'b'].map((tenant) => `${tenant} ${newYear().getTime()}`));
  });

  it('may be the method that it overrides, of the same name', async () => {
    const runs: string[] = [];
    @Injectable()
    class Base {
      @Exclusive('work') async work(): Promise<string> {
        runs.push('base');
        return 'worked';
      }
    }
    @Injectable()
    class Derived extends Base {
      @Cron(ONCE_A_YEAR, byHand('work'))
      @Exclusive('work')
      override async work(): Promise<string> {
        runs.push('derived');
        return super.work();
      }
    }
    const apps = await startFleet(2, { redlock: onRedis(), providers: [Derived] });
    await Promise.all(apps.map((app) => fire(app, 'work')));
    expect(runs).toEqual(['derived', 'base']);
    expect(await apps[0]!.get(Derived).work()).toBe('worked');
  });

  it('may be the method itself', async () => {
    const pages: number[] = [];
    @Injectable()
    class Import {
      @Cron(ONCE_A_YEAR, byHand('import'))
      async import(): Promise<void> {
        await this.importFrom(1);
      }

      @Exclusive('import')
      async importFrom(page: number): Promise<void> {
        pages.push(page);
        if (page % 3 !== 0) await this.importFrom(page + 1);
      }
    }
    const apps = await startFleet(2, { redlock: onRedis(), providers: [Import] });
    await Promise.all(apps.map((app) => fire(app, 'import')));
    await apps[0]!.get(Import).importFrom(4);
    expect(pages).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('may be a method that has called the one that calls it', async () => {
    const calls: string[] = [];
    @Injectable()
    class Import {
      @Cron(ONCE_A_YEAR, byHand('import'))
      @Exclusive('import')
      async import(depth = 0): Promise<void> {
        calls.push(`import ${depth}`);
        if (depth < 1) await this.prepare(depth + 1);
      }

      @Exclusive('prepare')
      async prepare(depth: number): Promise<void> {
        calls.push(`prepare ${depth}`);
        await this.import(depth);
      }
    }
    const app = await start({ redlock: onRedis(), providers: [Import] });
    await fire(app, 'import');
    await app.get(Import).import();
    expect(calls).toEqual(Array.from({ length: 2 }, () => ['import 0', 'prepare 1', 'import 1']).flat());
  });

  it('claims the lock in a firing of its own', async () => {
    let began = 0;
    @Injectable()
    class Import {
      constructor(readonly registry: SchedulerRegistry) {}

      @Cron(ONCE_A_YEAR, byHand('import'))
      async import(): Promise<void> {
        await this.work();
      }

      @Exclusive('work')
      async work(): Promise<void> {
        if (++began === 1) await this.registry.getCronJob('again').fireOnTick();
      }

      @Cron(ONCE_A_YEAR, byHand('again'))
      async again(): Promise<void> {
        await this.work();
      }
    }
    await fire(await start({ redlock: onRedis(), providers: [Import] }), 'import');
    expect(began).toBe(1);
  });

  it('claims the lock again once that run has ended', async () => {
    let began = 0;
    let later: Promise<unknown> = Promise.resolve();
    class Base {
      @Exclusive('work') async work(): Promise<void> {
        began++;
      }
    }
    @Injectable()
    class Derived extends Base {
      @Exclusive('work')
      override async work(): Promise<void> {
        later = pause(50).then(() => super.work());
      }
    }
    const [app, other] = await startFleet(2, { redlock: onRedis(), providers: [Derived] });
    await app!.get(Derived).work();
    const lock = await other!.get(RedlockService).lock('work');
    expect(lock).not.toBeNull();
    await later;
    expect(began).toBe(0);
    await lock!.release();
  });
});

it('a callback whose thenable works each time that it is asked is asked once', async () => {
  const app = await start({ providers: [Jobs] });
  let queries = 0;
  // As the query builders of some databases do.
  const query = new Proxy(Promise.resolve(), {
    get: (promise, key) =>
      key === 'then'
        ? (...args: Parameters<Promise<void>['then']>) => (queries++, promise.then(...args))
        : undefined,
  });
  const job = CronJob.from({
    cronTime: ONCE_A_YEAR,
    timeZone: 'UTC',
    waitForCompletion: true,
    onTick: () => query,
  });
  app.get(SchedulerRegistry).addCronJob('lazy', job);
  await fire(app, 'lazy');
  expect(queries).toBe(1);
});

describe('a plain call', () => {
  it('takes no tick, whatever its arguments', async () => {
    const [one, other] = await startFleet(2, { redlock: onRedis(), providers: [Jobs] });
    const jobs = one!.get(Jobs);
    for (let times = 0; times < 3; times++) expect(await jobs.optional(undefined)).toBe('synced');
    await fire(other!, 'optional');
    expect(other!.get(Jobs).runs).toEqual(['optional true']);
    expect(await jobs.optional(undefined)).toBe('synced');
    expect(jobs.tokens).toEqual([null, null, null, null]);
  });
});

describe('a decorator above @Exclusive that tries again', () => {
  it('does so on the winner, and not on the losers', async () => {
    const apps = await startFleet(3, { redlock: onRedis(), providers: [Jobs] });
    const outcomes: string[] = [];
    for (const app of apps) {
      app.get(Jobs).failures = 2;
      app.get(RedlockService).on('failed', () => outcomes.push('failed'));
      app.get(RedlockService).on('finished', () => outcomes.push('finished'));
      app.get(RedlockService).on('skipped', () => outcomes.push('skipped'));
    }
    await Promise.all(apps.map((app) => fire(app, 'retrying')));
    expect(apps.flatMap((app) => app.get(Jobs).runs)).toEqual(['retrying', 'retrying', 'retrying']);
    expect(apps.map((app) => app.get(Jobs).runs.length).toSorted((a, b) => a - b)).toEqual([0, 0, 3]);
    expect(outcomes.toSorted()).toEqual(['failed', 'failed', 'finished', 'skipped', 'skipped']);
    // The attempts of one tick have one fencing token.
    expect(new Set(apps.flatMap((app) => app.get(Jobs).tokens))).toEqual(new Set([newYear().getTime()]));
  });

  it('claims the tick again after a store that was down, with onStoreDown: throw', async () => {
    const runs: string[] = [];
    let attempts = 0;
    @Injectable()
    class Patient {
      @Cron(ONCE_A_YEAR, byHand('patient'))
      @calling(async (method) => {
        for (;;) {
          attempts++;
          try {
            return await method();
          } catch (error) {
            if (!(error instanceof StoreDownError)) throw error;
            await client.config('SET', 'maxmemory', '0');
          }
        }
      })
      @Exclusive('patient', { onStoreDown: 'throw' })
      async patient(): Promise<void> {
        runs.push('patient');
      }
    }
    const app = await start({ redlock: onRedis(), providers: [Patient] });
    await client.config('SET', 'maxmemory', '1');
    await fire(app, 'patient');
    expect([runs, attempts]).toEqual([['patient'], 2]);
    await fire(app, 'patient');
    expect(runs).toEqual(['patient']);
  });

  it('claims the tick once for several calls at the same time, also after a store that was down', async () => {
    let runs = 0;
    @Injectable()
    class Several {
      @calling((method) => Promise.all([method(), method(), method()]))
      @Exclusive('several', { overlap: 'allow' })
      async several(): Promise<void> {
        runs++;
      }

      @Cron(ONCE_A_YEAR, byHand('several'))
      async all(): Promise<void> {
        await this.several();
      }
    }
    const app = await start({ redlock: onRedis(), providers: [Several] });
    let skipped = 0;
    app.get(RedlockService).on('skipped', () => {
      skipped++;
      void client.config('SET', 'maxmemory', '0');
    });
    await client.config('SET', 'maxmemory', '1');
    await fire(app, 'several');
    // Only the first call was lost to the outage.
    expect([runs, skipped]).toEqual([2, 1]);
  });
});

describe('intervals', () => {
  @Injectable()
  class Pollers {
    readonly runs: string[] = [];

    @Interval('polling', 300)
    @Adding
    @Exclusive('polling')
    async polling(): Promise<void> {
      this.runs.push('polling');
    }

    @Interval('flaky', 300)
    @Retrying
    @Exclusive('flaky')
    async flaky(): Promise<void> {
      this.runs.push('flaky');
      throw new Error('Not now');
    }

    @Interval('hourly', 3_600_000)
    @Exclusive('hourly')
    async hourly(): Promise<string> {
      return 'polled';
    }
  }

  it('are known behind a decorator that adds arguments, and retried on the winner', async () => {
    const begin = performance.now();
    const apps = await startFleet(3, { redlock: onRedis(), providers: [Pollers] });
    await pause(2000);
    const most = Math.ceil((performance.now() - begin) / 270);
    const runs = apps.flatMap((app) => app.get(Pollers).runs);
    const polled = runs.filter((run) => run === 'polling').length;
    expect(polled).toBeGreaterThan(2);
    expect(polled).toBeLessThanOrEqual(most);
    expect(runs.filter((run) => run === 'flaky').length).toBeGreaterThan(2 * 3);
    expect(runs.filter((run) => run === 'flaky').length).toBeLessThanOrEqual(3 * most);
  });

  it('are not taken by a plain call', async () => {
    const [one, other] = await startFleet(2, { redlock: onRedis(), providers: [Pollers] });
    for (let times = 0; times < 2; times++) {
      expect(await one!.get(Pollers).hourly()).toBe('polled');
      expect(await other!.get(Pollers).hourly()).toBe('polled');
    }
    expect(await client.exists('{JOB_LOCKER_hourly}:every')).toBe(0);
  });
});

/** Something to wait for. */
function latch(): { readonly promise: Promise<void>; open: () => void } {
  const events = new EventEmitter();
  return { promise: once(events, 'open').then(() => {}), open: () => void events.emit('open') };
}

describe('a firing', () => {
  it('is over when its calls have ended and no late instance could come with its tick any more', async () => {
    let now = Date.UTC(2026, 0, 1, 12, 0, 0);
    const ticks = new CronTicks(new CronTime('0 * * * * *', 'UTC'));
    const firing = new CronFiring({}, ticks, now, { ...systemClock, now: () => now });
    // As a connection does that is opened in a cron handler.
    let leaked: (() => unknown) | undefined;
    const work = latch();
    const call = inFiring(firing, () => {
      leaked = AsyncResource.bind(currentFiring);
      return work.promise;
    });
    now += 24 * 60 * 60_000;
    expect(leaked?.()).toBe(firing);
    work.open();
    await call;
    expect(leaked?.()).toBeUndefined();
    now = Date.UTC(2026, 0, 1, 12, 1, 0);
    expect(leaked?.()).toBe(firing);
    now += 1;
    expect(leaked?.()).toBeUndefined();
    expect(currentFiring()).toBeUndefined();
  });

  it('lasts as long as the handler of a cron job that nobody awaits', async () => {
    const memory = new MemoryNode();
    const now = vi.spyOn(Date, 'now');
    try {
      const apps = await startFleet(2, { redlock: { nodes: memory }, providers: [Jobs] });
      const work = latch();
      for (const app of apps) {
        const { redlock, runs } = app.get(Jobs);
        // Walks its tenants on every instance, and takes longer than its period.
        const onTick = async (): Promise<void> => {
          await redlock.run('tenant 1', () => runs.push('tenant 1'));
          await work.promise;
          await redlock.run('tenant 2', () => runs.push('tenant 2'));
        };
        const job = CronJob.from({ cronTime: '0 * * * * *', timeZone: 'UTC', onTick });
        app.get(SchedulerRegistry).addCronJob('walk', job);
        await fire(app, 'walk');
      }
      await pause(50);
      const later = Date.now() + 10 * 60_000;
      now.mockImplementation(() => later);
      work.open();
      await pause(100);
      expect(apps.flatMap((app) => app.get(Jobs).runs).toSorted()).toEqual(['tenant 1', 'tenant 2']);
    } finally {
      now.mockRestore();
    }
  });

  it('keeps its tick, however late it is asked for it', () => {
    let now = Date.UTC(2026, 0, 1, 12, 0, 0) + 3;
    const ticks = new CronTicks(new CronTime('* * * * * *', 'UTC'));
    const firing = new CronFiring({}, ticks, now, { ...systemClock, now: () => now });
    now += 5000;
    expect(ticks.latest(now)?.at).toBe(Date.UTC(2026, 0, 1, 12, 0, 5));
    expect(firing.tick?.at).toBe(Date.UTC(2026, 0, 1, 12, 0, 0));
    expect(ticks.latest(now)?.at).toBe(Date.UTC(2026, 0, 1, 12, 0, 5));
  });
});

it('an application without a scheduler is told at start that nothing calls its jobs', async () => {
  const { RecordingLogger } = await import('../module/recording-logger.js');
  const { Test } = await import('@nestjs/testing');
  const { RedlockModule } = await import('../../src/index.js');
  for (const [imports, expected] of [
    [[], 1],
    [[ScheduleModule.forRoot()], 0],
  ] as const) {
    const logger = new RecordingLogger();
    const app = await Test.createTestingModule({
      imports: [...imports, RedlockModule.forRoot({ nodes: 'memory' })],
      providers: [Jobs],
    })
      .setLogger(logger)
      .compile();
    await app.init();
    await app.close();
    expect(logger.at('warn').filter((line) => line.includes('ScheduleModule.forRoot()'))).toHaveLength(
      expected,
    );
  }
});
