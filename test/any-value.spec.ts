import { inspect, types } from 'node:util';
import { Module } from '@nestjs/common';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, MemoryNode, RedlockModule, RedlockService } from '../src/index.js';
import { resolveOptions } from '../src/options/resolve-options.js';
import { TestFleet } from '../src/testing/index.js';
import { build, close, start } from './module/application.js';

const SECRET = 's3cr3t';

/** What somebody could pass by mistake, much of it with a secret. */
const STRANGE: readonly (() => unknown)[] = [
  () => SECRET_URL,
  () => `redis://:${SECRET}`,
  () => ({ host: SECRET_URL }),
  () => ({ path: SECRET_URL }),
  () => ({ password: SECRET }),
  () => [SECRET_URL],
  () => new URL(SECRET_URL),
  () => Symbol(SECRET),
  () => () => SECRET_URL,
  () => Promise.resolve(SECRET),
  () => new Error(SECRET),
  () => Buffer.from(SECRET),
  () => 10n ** 400n,
  () => -0,
  () => ' '.repeat(1_000_000),
  () => '\uD800',
  () => '{a',
  () => ({ toString: () => SECRET }),
  () => Object.freeze({}),
  () => thrower(),
  () => [thrower()],
  () => ({ nodes: thrower() }),
  () => new Proxy({}, { get: fail, ownKeys: fail, getPrototypeOf: fail, has: fail }),
  () => new Proxy(() => SECRET_URL, { get: fail }),
  () => new Proxy({}, { get: () => SECRET_URL }),
  revoked,
  () => new MemoryNode(),
  () => RedlockModule,
];
const SECRET_URL = `redis://worker:${SECRET}@10.1.1.1`;

function fail(): never {
  throw new TypeError(SECRET);
}

/** An object whose every property throws. */
function thrower(): object {
  const properties = ['ttl', 'nodes', 'host', 'then', 'claim', 'status', 'useFactory', 'module', 'cronTime'];
  const accessor = { get: fail, enumerable: true };
  return Object.defineProperties({}, Object.fromEntries(properties.map((property) => [property, accessor])));
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Creates a value: fast-check itself cannot hold some of them. */
const anyValue = fc.oneof(
  fc.constantFrom(...STRANGE),
  fc
    .anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    })
    .map((value) => (): unknown => value),
);

/** What is wrong with how a value was refused: it must be by name, on one line, and without a secret. */
function faultOf(error: unknown): string | undefined {
  if (!(error instanceof InvalidOptionError)) return `not an InvalidOptionError: ${inspect(error)}`;
  const { message, option } = error;
  // The name of an unknown option may be a secret.
  const isNamed = message.includes('unknown option') || (option !== '' && message.includes(option));
  if (!isNamed) return `does not name the option: ${message}`;
  if (message.includes(SECRET)) return `contains a secret: ${message}`;
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(message)) return `is not one line: ${message}`;
  return message.length < 1500 ? undefined : `is too long: ${message}`;
}

/** A test that passes any value to an entry: it works, or is refused. */
function accepts(what: string, act: (value: unknown) => unknown, numRuns = 300): void {
  const property = fc.asyncProperty(anyValue, async (create) => {
    try {
      await act(create());
    } catch (error) {
      const fault = faultOf(error);
      if (fault !== undefined) throw new Error(fault, { cause: error });
    }
  });
  it(`as ${what}`, async () => {
    await expect(fc.assert(property, { numRuns })).resolves.toBeUndefined();
  });
}

const isFunction = (value: unknown): boolean => typeof value === 'function';

const startWith = async (...args: unknown[]): Promise<void> => {
  class Jobs {
    @((Exclusive as (...of: unknown[]) => MethodDecorator)(...args))
    async work(): Promise<void> {}
  }
  const app = await build({ providers: [Jobs] });
  await app.init();
  await app.close();
};

const createFleet = async (module: unknown, options?: unknown): Promise<void> => {
  const fleet = await TestFleet.create(module as never, options as never);
  await fleet.close();
};

/** What Nest makes of a class or a promise, and how long a thousand instances take to start, is not tested here. */
const isLeftOut = (value: unknown): boolean =>
  typeof value === 'function' || types.isPromise(value) || (Number.isInteger(value) && Number(value) > 2);

const useFactory = (): object => ({});

const JOB_OPTIONS = ['ttl', 'every', 'overlap', 'maxRuntime', 'recover', 'onStoreDown', 'spread'];

describe('any value, for the module, is accepted or refused', () => {
  accepts('the options', (value) => RedlockModule.forRoot(value as never));
  accepts('the options of forRootAsync', (value) => RedlockModule.forRootAsync(value as never));
  accepts('the result of a factory', (value) => resolveOptions(value));
  accepts('the clock of a MemoryNode', (value) => new MemoryNode(value as never));

  const moduleOptions = ['nodes', 'keyPrefix', 'ttl', 'nodeTimeout', 'maxRuntime', 'onStoreDown'];
  for (const option of [...moduleOptions, 'spread', 'shutdownTimeout', 'enabled', 'instanceId', 'isGlobal']) {
    accepts(option, (value) => RedlockModule.forRoot({ [option]: value }));
  }

  const nodeOptions = [
    'host',
    'port',
    'path',
    'db',
    'name',
    'role',
    'family',
    'sentinels',
    'Connector',
    'tls',
  ];
  for (const option of nodeOptions) {
    accepts(`${option} of a node, whose client can then be created`, async (value) => {
      const { nodes, nodeTimeout } = resolveOptions({ nodes: { host: 'a', [option]: value } });
      const created = nodes.map(({ create }) => create({ nodeTimeout, connectionName: 'test' }));
      await Promise.all(created.map((node) => node.close()));
    });
  }

  for (const option of ['imports', 'inject', 'useFactory', 'useClass', 'useExisting', 'isGlobal']) {
    accepts(`${option} of forRootAsync`, (value) =>
      RedlockModule.forRootAsync({ useFactory, [option]: value }),
    );
  }
});

describe('any value, for a decorator, is accepted or refused', () => {
  accepts('the name', (value) => startWith(value), 60);
  accepts('the options', (value) => startWith('a', value), 60);
  for (const option of JOB_OPTIONS) {
    accepts(option, (value) => startWith('a', { [option]: value }), 30);
  }
});

describe('any value, for the service, is accepted or refused', () => {
  let redlock: RedlockService;
  let end: () => Promise<void>;
  beforeAll(async () => {
    const app = await start({});
    redlock = app.get(RedlockService);
    end = () => close(app);
  });
  afterAll(() => end());

  const lock = async (name: unknown, options?: unknown): Promise<void> => {
    const held = await redlock.lock(name as never, options as never);
    await held?.release();
  };

  accepts('the name of a lock', (value) => lock(value));
  accepts('the options of a lock', (value) => lock('a', value));
  for (const option of ['ttl', 'wait']) {
    accepts(`${option} of a lock`, (value) => lock('a', { [option]: value }));
  }
  accepts('the name of a run', (value) => redlock.run(value as never, () => 1));
  accepts('the routine', (value) => (isFunction(value) ? undefined : redlock.run('b', value as never)));
  accepts('the options of a run', (value) => redlock.run('c', () => 1, value as never));
  for (const option of [...JOB_OPTIONS, 'job']) {
    accepts(`${option} of a run`, (value) => redlock.run('d', () => 1, { [option]: value }));
  }
  accepts('an event', (value) => redlock.on(value as never, () => {})());
  accepts('a listener', (value) => redlock.on('skipped', value as never)());
  accepts('the ttl of an extension', (value) => redlock.run('e', (run) => run.extend(value as never)));
});

describe('any value, for a fleet of a test, is accepted or refused', () => {
  @Module({ imports: [RedlockModule.forRoot()] })
  class AppModule {}

  accepts('the module', (value) => (isLeftOut(value) ? undefined : createFleet(value)), 100);
  accepts('the options', (value) => createFleet(AppModule, value), 60);
  for (const option of ['instances', 'now', 'nodes', 'override']) {
    const createWith = (value: unknown) => createFleet(AppModule, { [option]: value });
    accepts(option, (value) => (isLeftOut(value) ? undefined : createWith(value)), 40);
  }

  let fleet: TestFleet;
  beforeAll(async () => void (fleet = await TestFleet.create(AppModule)));
  afterAll(() => fleet.close());

  accepts('the job to fire', (value) => fleet.fire(value as never));
  accepts('the time at which to fire', (value) => fleet.fire('report', value as never));
  accepts('the duration by which to advance', (value) => fleet.advance(value as never));
});
