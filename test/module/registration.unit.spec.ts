import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module, type ModuleMetadata, Scope } from '@nestjs/common';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import { CronJob } from 'cron';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  Exclusive,
  InvalidOptionError,
  MemoryNode,
  RedlockModule,
  type RedlockModuleOptions,
  type RedlockOptionsFactory,
  RedlockService,
} from '../../src/index.js';
import { type Clock, systemClock } from '../../src/clock.js';
import { CLOCK } from '../../src/redlock.module-definition.js';
import { closeAfterTest } from '../close-after-test.js';
import { build, byHand, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { RecordingLogger } from './recording-logger.js';

@Injectable()
class Jobs {
  constructor(readonly redlock: RedlockService) {}

  @Exclusive('work')
  async work(): Promise<string | undefined> {
    return this.redlock.current()?.instanceId;
  }
}

@Module({ providers: [Jobs], exports: [Jobs] })
class FeatureModule {}

const SETTINGS = Symbol('SETTINGS');

@Module({ providers: [{ provide: SETTINGS, useValue: { instanceId: 'configured' } }], exports: [SETTINGS] })
class SettingsModule {}

@Injectable()
class OptionsFactory implements RedlockOptionsFactory {
  async createRedlockOptions(): Promise<RedlockModuleOptions> {
    return { nodes: new MemoryNode(), instanceId: 'made by a class' };
  }
}

@Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
class FactoryModule {}

@Injectable({ scope: Scope.REQUEST })
class PerRequest extends OptionsFactory {}

@Injectable()
class ThroughAnother extends OptionsFactory {
  constructor(readonly request: PerRequest) {
    super();
  }
}

@Module({ providers: [PerRequest, ThroughAnother], exports: [PerRequest, ThroughAnother] })
class RequestModule {}

const startWith = (...imports: NonNullable<ModuleMetadata['imports']>) => start({ redlock: null, imports });

describe('the module', () => {
  it('is there for all modules when it is imported once', async () => {
    const app = await startWith(FeatureModule, RedlockModule.forRoot({ instanceId: 'global' }));
    expect(await app.get(Jobs).work()).toBe('global');
  });

  it('needs no options', async () => {
    const app = await startWith(FeatureModule, RedlockModule.forRoot());
    expect(await app.get(Jobs).work()).toMatch(/^.+:\d+:[0-9a-f]{8}$/);
  });

  it('is there only where it is imported, with isGlobal: false', async () => {
    const redlock = RedlockModule.forRoot({ isGlobal: false, instanceId: 'local' });
    await expect(build({ redlock: null, imports: [FeatureModule, redlock] })).rejects.toThrow(
      "can't resolve dependencies",
    );
    @Module({ imports: [redlock], providers: [Jobs] })
    class ImportingModule {}
    const app = await startWith(ImportingModule);
    expect(await app.get(Jobs, { strict: false }).work()).toBe('local');
  });
});

describe('options that come from elsewhere', () => {
  it('are made by a function, from what it asks for', async () => {
    const redlock = RedlockModule.forRootAsync({
      imports: [SettingsModule],
      inject: [SETTINGS],
      useFactory: async (settings: RedlockModuleOptions) => ({ ...settings, nodes: 'memory' }),
    });
    const app = await startWith(FeatureModule, redlock);
    expect(await app.get(Jobs).work()).toBe('configured');
  });

  it('are made by a class', async () => {
    const app = await startWith(FeatureModule, RedlockModule.forRootAsync({ useClass: OptionsFactory }));
    expect(await app.get(Jobs).work()).toBe('made by a class');
  });

  it('are made by a provider that is there already', async () => {
    const redlock = RedlockModule.forRootAsync({ imports: [FactoryModule], useExisting: OptionsFactory });
    const app = await startWith(FeatureModule, redlock);
    expect(await app.get(Jobs).work()).toBe('made by a class');
  });

  it('make the module local too', async () => {
    const redlock = RedlockModule.forRootAsync({ isGlobal: false, useClass: OptionsFactory });
    await expect(build({ redlock: null, imports: [FeatureModule, redlock] })).rejects.toThrow(
      "can't resolve dependencies",
    );
  });

  it('are refused at the start where they are wrong', async () => {
    const redlock = RedlockModule.forRootAsync({
      useFactory: () => ({ nodes: 'memory', ttl: 'soon' as never }),
    });
    const error = await startWith(redlock).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain('RedlockModule: ttl must be');
  });

  it.each<[how: string, options: Parameters<typeof RedlockModule.forRootAsync>[0]]>([
    ['injected', { inject: [PerRequest], useFactory: () => ({ nodes: 'memory' }) }],
    ['injected into what is injected', { inject: [ThroughAnother], useFactory: () => ({ nodes: 'memory' }) }],
    ['the factory', { useExisting: PerRequest }],
    ['injected into the factory', { useClass: ThroughAnother }],
    [
      'provided and injected',
      {
        inject: ['request'],
        provideInjectionTokensFrom: [{ provide: 'request', useFactory: () => ({}), scope: Scope.REQUEST }],
        useFactory: () => ({ nodes: 'memory' }),
      },
    ],
  ])('are refused at the start where something request-scoped is %s', async (_how, options) => {
    const redlock = RedlockModule.forRootAsync({ imports: [RequestModule], ...options });
    const error = await startWith(FeatureModule, redlock).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain('RedlockModule: options cannot depend on a request-scoped provider');
  });
});

/** Its methods need the module, and the module needs it. */
@Injectable()
class Secrets implements RedlockOptionsFactory {
  static readonly runs: unknown[] = [];

  @Exclusive('rotate')
  async rotate(): Promise<string> {
    Secrets.runs.push('rotate');
    return 'rotated';
  }

  async createRedlockOptions(): Promise<RedlockModuleOptions> {
    return { nodes: 'memory', instanceId: 'secret' };
  }
}

class Needy {
  constructor(readonly secrets: Secrets) {}
}

@Module({
  providers: [
    Secrets,
    { provide: Needy, inject: [Secrets], useFactory: (secrets: Secrets) => new Needy(secrets) },
  ],
  exports: [Secrets, Needy],
})
class SecretsModule {}

describe('options that come from an object with a decorated method', () => {
  it.each([
    [
      'by inject',
      {
        imports: [SecretsModule],
        inject: [Secrets],
        useFactory: (secrets: Secrets) => secrets.createRedlockOptions(),
      },
    ],
    [
      'by inject, and another provider',
      {
        imports: [SecretsModule],
        inject: [Needy],
        useFactory: ({ secrets }: Needy) => secrets.createRedlockOptions(),
      },
    ],
    ['by useExisting', { imports: [SecretsModule], useExisting: Secrets }],
    ['by useClass', { useClass: Secrets }],
  ])('guard that method, too: %s', async (_what, options) => {
    const started: string[] = [];
    const app = await startWith(RedlockModule.forRootAsync(options));
    app.get(RedlockService).on('started', ({ name, instanceId }) => started.push(`${name} ${instanceId}`));
    expect(await app.get(Secrets).rotate()).toBe('rotated');
    expect(started).toEqual(['rotate secret']);
  });
});

/** What watches the scheduler needs it, and an object with a decorated method must wait for that. */
async function lateClock(): Promise<Clock> {
  await pause(10);
  return systemClock;
}

describe('a call that is made before the options exist', () => {
  afterEach(() => void vi.useRealTimers());

  it('waits for them, and belongs to the tick for which a cron job fired', async () => {
    const nodes = new MemoryNode();
    let runs = 0;
    @Injectable()
    class Eager {
      @Exclusive('eager')
      async eager(): Promise<void> {
        runs++;
      }
    }
    const startOne = async (): Promise<TestingModule> => {
      let choose!: (options: RedlockModuleOptions) => void;
      const chosen = new Promise<RedlockModuleOptions>((resolve) => (choose = resolve));
      const firing = {
        provide: 'firing',
        inject: [Eager, SchedulerRegistry],
        useFactory: (jobs: Eager, registry: SchedulerRegistry) => {
          const spec = { cronTime: ONCE_A_YEAR, ...byHand('eager'), onTick: () => jobs.eager() };
          registry.addCronJob('eager', CronJob.from(spec));
          setTimeout(() => choose({ nodes }), 20);
          return { over: registry.getCronJob('eager').fireOnTick() };
        },
      };
      const redlock = RedlockModule.forRootAsync({ useFactory: () => chosen });
      const app = await Test.createTestingModule({
        imports: [ScheduleModule.forRoot(), redlock],
        providers: [Eager, firing],
      })
        .setLogger(new RecordingLogger())
        .overrideProvider(CLOCK)
        .useFactory({ factory: lateClock })
        .compile();
      await app.init();
      closeAfterTest(app);
      await app.get<{ over: Promise<void> }>('firing').over;
      return app;
    };
    const [app] = [await startOne(), await startOne()];
    expect(runs).toBe(1);
    const records = await app.get(RedlockService).history('eager');
    expect(records.map(({ tick }) => tick)).toEqual([newYear()]);
  });

  it('is named in the log if the options wait for it', async () => {
    vi.useFakeTimers();
    const logger = new RecordingLogger();
    Secrets.runs.length = 0;
    const redlock = RedlockModule.forRootAsync({
      imports: [SecretsModule],
      inject: [Secrets],
      useFactory: async (secrets: Secrets) => ({ instanceId: await secrets.rotate() }),
    });
    void build({ redlock: null, imports: [redlock], logger });
    await vi.advanceTimersByTimeAsync(6000);
    expect(logger.at('warn')).toEqual([
      expect.stringContaining('A call of Secrets.rotate waits for the options'),
    ]);
    expect(Secrets.runs).toEqual([]);
  });
});
