import { Inject, Injectable, Scope } from '@nestjs/common';
import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { Exclusive, NotInjectedError, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';

@Injectable()
class Jobs {
  readonly settings = { tenant: 'north' };
  @Inject(RedlockService) readonly redlock!: RedlockService;

  @Exclusive('report')
  async report(): Promise<string | undefined> {
    return this.redlock.current()?.name;
  }
}

/** Some classes allow no changes from their constructors on. */
class Still {
  /** Set here, because Nest cannot inject into a property. */
  static redlock: RedlockService;

  @Exclusive('still')
  async still(): Promise<string | undefined> {
    return Still.redlock.current()?.name;
  }
}

@Injectable()
class Frozen extends Still {
  constructor() {
    super();
    Object.freeze(this);
  }
}

@Injectable()
class Sealed extends Still {
  constructor() {
    super();
    Object.seal(this);
  }
}

function deepClone<T>(value: T, known = new Map<unknown, unknown>()): T {
  if (typeof value !== 'object' || value === null || value instanceof RedlockService) return value;
  if (known.has(value)) return known.get(value) as T;
  const clone = Object.create(Object.getPrototypeOf(value) as object) as T & object;
  known.set(value, clone);
  for (const key of Reflect.ownKeys(value))
    Reflect.set(clone, key, deepClone(Reflect.get(value, key), known));
  return clone;
}

function deepProxy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, { get: (target, key) => deepProxy(Reflect.get(target, key)) });
}

describe('a method runs under its lock', () => {
  it.each<[string, (jobs: Jobs) => Jobs]>([
    ['a clone', (jobs) => Object.assign(Object.create(Jobs.prototype) as Jobs, jobs)],
    ['a deep clone', (jobs) => deepClone(jobs)],
    ['a proxy', (jobs) => new Proxy(jobs, {})],
    ['a deep proxy', deepProxy],
    ['an object that has it as its prototype', (jobs) => Object.create(jobs) as Jobs],
  ])('on %s of a provider', async (_what, made) => {
    const app = await start({ providers: [Jobs] });
    expect(await made(app.get(Jobs)).report()).toBe('report');
  });

  it.each([Frozen, Sealed])('on a provider of class %o', async (provider) => {
    const app = await start({ providers: [provider] });
    Still.redlock = app.get(RedlockService);
    for (const object of [app.get(provider), Object.create(app.get(provider)) as Still]) {
      expect(await object.still()).toBe('still');
    }
  });

  it('on an object that moduleRef.create() makes, or that a request gets', async () => {
    const app = await start({
      providers: [{ provide: 'scoped', useClass: Jobs, scope: Scope.REQUEST }, Jobs],
    });
    const made = [
      await app.get(ModuleRef).create(Jobs),
      await app.resolve<Jobs>('scoped', ContextIdFactory.create()),
    ];
    for (const jobs of made) expect(await jobs.report()).toBe('report');
    Still.redlock = app.get(RedlockService);
    expect(await (await app.get(ModuleRef).create(Frozen)).still()).toBe('still');
  });
});

it('a method runs as if it were undecorated on a frozen object into which a mock is injected', async () => {
  const module = await Test.createTestingModule({ providers: [Frozen] })
    .useMocker(() => ({}))
    .compile();
  Still.redlock = (await start({})).get(RedlockService);
  expect(await module.get(Frozen).still()).toBeUndefined();
});

it('members that are copied from a class leave its objects as they are: without a lock, they are refused', async () => {
  class Copied {
    @Exclusive('copied') async copied(): Promise<void> {}
  }
  class Target extends Copied {}
  for (const key of Reflect.ownKeys(Copied.prototype)) {
    if (key !== 'constructor') Reflect.set(Target.prototype, key, Reflect.get(Copied.prototype, key));
  }
  expect(() => new Target().copied()).toThrow(NotInjectedError);
});

it('nothing but a mark is left in an object', async () => {
  const jobs = (await start({ providers: [Jobs] })).get(Jobs);
  const left = Object.getOwnPropertySymbols(jobs).map((key): unknown => Reflect.get(jobs, key));
  expect(left.map((value) => typeof value)).toEqual(['symbol']);
});
