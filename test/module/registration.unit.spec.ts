import { Injectable, Module, type ModuleMetadata, Scope } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import {
  Exclusive,
  InvalidOptionError,
  MemoryNode,
  RedlockModule,
  type RedlockModuleOptions,
  type RedlockOptionsFactory,
  RedlockService,
} from '../../src/index.js';
import { build, start } from '../module/application.js';

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
  ])('are refused at the start where something request-scoped is %s', async (_how, options) => {
    const redlock = RedlockModule.forRootAsync({ imports: [RequestModule], ...options });
    const error = await startWith(FeatureModule, redlock).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain('RedlockModule: options cannot depend on a request-scoped provider');
  });
});
