import { Inject, Injectable, Module, Scope, type DynamicModule } from '@nestjs/common';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, RedlockService } from '../../src/index.js';
import { build, byHand, fire, ONCE_A_YEAR, start, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServer } from '../module/redis.js';

const server = useServer();
let client: Redis;
beforeEach(async () => {
  client = clientOf(server.it);
  await client.flushall();
});

/** Made by hand: nothing is injected into it. */
class Plain {
  static runs = 0;

  @Cron(ONCE_A_YEAR, byHand('plain'))
  @Exclusive('plain')
  async plain(): Promise<string> {
    Plain.runs++;
    return 'done';
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  static runs = 0;

  @Cron(ONCE_A_YEAR, byHand('transient'))
  @Exclusive('transient')
  async transient(): Promise<string> {
    Transient.runs++;
    return 'done';
  }
}

@Injectable()
class UsesTransient {
  constructor(readonly transient: Transient) {}
}

describe('an object that the scheduler calls and Nest did not inject into', () => {
  it.each([
    ['of useFactory', { provide: Plain, useFactory: () => new Plain() }],
    ['of an asynchronous useFactory', { provide: 'plain', useFactory: async () => new Plain() }],
    ['of useValue', { provide: Plain, useValue: new Plain() }],
    ['of useValue that is frozen', { provide: Plain, useValue: Object.freeze(new Plain()) }],
  ])('runs each tick once: %s', async (_what, provider) => {
    Plain.runs = 0;
    const logger = new RecordingLogger();
    const apps = await startFleet(3, { redlock: { nodes: server.it.url }, providers: [provider], logger });
    await Promise.all(apps.map((app) => fire(app, 'plain')));
    expect(Plain.runs).toBe(1);
    expect(logger.at('error')).toEqual([]);
    expect(await apps[0]!.get<Plain>(provider.provide).plain()).toBe('done');
  });

  it('runs each tick once: of a transient provider', async () => {
    Transient.runs = 0;
    const logger = new RecordingLogger();
    const apps = await startFleet(2, {
      redlock: { nodes: server.it.url },
      providers: [Transient, UsesTransient],
      logger,
    });
    await Promise.all(apps.map((app) => fire(app, 'transient')));
    expect(Transient.runs).toBe(1);
    expect(logger.at('error')).toEqual([]);
    expect(await apps[0]!.get(UsesTransient).transient.transient()).toBe('done');
  });
});

/** A decorator such as many packages have: it wraps the method, and copies no metadata. */
const Traced: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
  const original = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = function (this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(original, this, args);
  };
};

describe('a decorator that copies no metadata, between @Cron and @Exclusive,', () => {
  class Hidden {
    runs = 0;

    @Cron(ONCE_A_YEAR, byHand('hidden'))
    @Traced
    @Exclusive('hidden')
    async hidden(): Promise<void> {
      this.runs++;
    }
  }

  it('hides no job of an object that Nest did not inject into', async () => {
    const provider = { provide: Hidden, useFactory: () => new Hidden() };
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.it.url }, providers: [provider], logger });
    await fire(app, 'hidden');
    expect(app.get(Hidden).runs).toBe(1);
    expect(logger.at('error')).toEqual([]);
    expect(logger.text).toContain('Guarding 1 job ("hidden")');
  });

  it('hides no class that is provided twice', async () => {
    Injectable()(Hidden);
    const app = await build({ providers: [Hidden, { provide: 'again', useClass: Hidden }] });
    // Two cron jobs of one name would be refused by the scheduler first, after all modules have started.
    await expect(app.init()).rejects.toThrow(InvalidOptionError);
  });
});

@Injectable()
class Export {
  readonly runs: string[] = [];
  constructor(@Inject('TENANT') readonly tenant: string) {}

  @Cron(ONCE_A_YEAR)
  @Exclusive('export')
  async export(): Promise<void> {
    this.runs.push(this.tenant);
  }
}

@Injectable()
class NamedExport {
  static readonly runs: string[] = [];
  constructor(@Inject('TENANT') readonly tenant: string) {}

  @Cron(ONCE_A_YEAR)
  @Exclusive(function (this: NamedExport) {
    return `export:${this.tenant}`;
  })
  async export(): Promise<void> {
    NamedExport.runs.push(this.tenant);
  }
}

function moduleOf(Jobs: typeof Export | typeof NamedExport): (tenant: string) => DynamicModule {
  @Module({})
  class ExportModule {}
  return (tenant) => ({ module: ExportModule, providers: [Jobs, { provide: 'TENANT', useValue: tenant }] });
}

it('a job that a mixin copied from another class is guarded', async () => {
  @Injectable()
  class Mixed {}
  Object.defineProperties(Mixed.prototype, {
    ...Object.getOwnPropertyDescriptors(Plain.prototype),
    constructor: { value: Mixed },
  });
  Plain.runs = 0;
  const logger = new RecordingLogger();
  const apps = await startFleet(2, { redlock: { nodes: server.it.url }, providers: [Mixed], logger });
  await Promise.all(apps.map((app) => fire(app, 'plain')));
  expect(Plain.runs).toBe(1);
  expect(logger.text).toContain('Guarding 1 job ("plain")');
});

describe('one class that is provided twice', () => {
  it.each([
    ['by two dynamic modules', { imports: ['north', 'south'].map(moduleOf(Export)) }],
    [
      'under two tokens',
      {
        providers: [Export, { provide: 'again', useClass: Export }, { provide: 'TENANT', useValue: 'north' }],
      },
    ],
  ])('is refused at start where its jobs share a name, with the remedy: %s', async (_what, parts) => {
    const app = await build({ redlock: { nodes: 'memory' }, ...parts });
    const error = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    for (const text of ['Export.export', '"export"', 'useExisting', 'this.tenant']) {
      expect(String(error)).toContain(text);
    }
  });

  it('runs each tick once for each object where its jobs are named by the object', async () => {
    NamedExport.runs.length = 0;
    const modules = ['north', 'south'].map(moduleOf(NamedExport));
    const apps = await startFleet(2, { redlock: { nodes: server.it.url }, imports: modules });
    const jobs = apps.flatMap((app) => [...app.get(SchedulerRegistry).getCronJobs().values()]);
    await Promise.all(jobs.map((job) => job.fireOnTick()));
    await expect.poll(() => NamedExport.runs.toSorted()).toEqual(['north', 'south']);
  });

  it('is one object with useExisting, and nothing to refuse', async () => {
    const app = await start({
      providers: [
        Export,
        { provide: 'again', useExisting: Export },
        { provide: 'TENANT', useValue: 'north' },
      ],
    });
    expect(app.get('again')).toBe(app.get(Export));
  });
});

describe('a unit test that mocks all that a class needs', () => {
  it('runs its methods as if they were undecorated', async () => {
    const module = await Test.createTestingModule({ providers: [Export] })
      .useMocker((token) => (token === 'TENANT' ? 'north' : {}))
      .compile();
    const jobs = module.get(Export);
    await jobs.export();
    await jobs.export();
    expect(jobs.runs).toEqual(['north', 'north']);
  });

  it('does so too with a stub that passes for the class', async () => {
    const module = await Test.createTestingModule({ providers: [Export] })
      .useMocker((token) =>
        typeof token === 'function' ? (Object.create(token.prototype as object) as unknown) : 'north',
      )
      .compile();
    await module.get(Export).export();
    expect(module.get(Export).runs).toEqual(['north']);
  });
});

it('a provider that allows only some of its properties to be read does no harm', async () => {
  // As request-scoped proxies do outside of a request; Nest itself reads some properties of all.
  const forbidden = new Set<PropertyKey>(['addCronJob', 'getCronJobs', 'addInterval', 'mountIntervals']);
  const guarded = new Proxy<Record<PropertyKey, unknown>>(
    {},
    {
      get: (target, key) => {
        if (forbidden.has(key)) throw new Error('Not in this context');
        return target[key];
      },
    },
  );
  const app = await start({ providers: [{ provide: 'guarded', useFactory: () => guarded }, Plain] });
  expect(await app.get(RedlockService).run('works', () => 1)).toEqual({ ran: true, value: 1 });
});
