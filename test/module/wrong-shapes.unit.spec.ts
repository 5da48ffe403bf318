import { Injectable, Module } from '@nestjs/common';
import { Cluster, Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, MemoryNode, RedlockModule } from '../../src/index.js';
import { build, start } from './application.js';

const HOLES: unknown[] = [];
HOLES.length = 2;

const useFactory = (): object => ({});

/** The message of what a call throws, which must be an `InvalidOptionError`. */
function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof InvalidOptionError) return error.message;
    throw error;
  }
  throw new Error('It was accepted');
}

describe('forRoot refuses', () => {
  it.each<[what: string, options: unknown, message: string]>([
    ['an array', [], 'options must be an object, not an empty array'],
    ['a list of nodes', ['memory'], 'options must be an object, not an array'],
    ['a Map', new Map([['ttl', 1]]), 'options must be an object, not an instance of Map'],
    ['a promise', Promise.resolve({}), 'options must be an object, not a promise; await it first'],
    ['a function', () => ({}), 'options must be an object, not a function'],
    ['a URL', 'redis://a', 'options must be an object, not a string'],
    ['null for a duration', { ttl: null }, 'received null'],
    [
      'a duration without a unit',
      { ttl: '30' },
      'ttl must be a number of milliseconds, or a duration with its unit',
    ],
    ['a space for the unit of a duration', { ttl: '30 ' }, 'ttl must be a number of milliseconds'],
    ['null for a list of nodes', { nodes: null }, 'nodes[0] must be a URL'],
    ['null for a prefix', { keyPrefix: null }, 'keyPrefix must be a non-empty string'],
    ['null for a switch', { enabled: null }, 'enabled must be true or false; received null'],
    ['null for a choice', { onStoreDown: null }, 'onStoreDown must be'],
    ['null for isGlobal', { isGlobal: null }, 'isGlobal must be true or false; received null'],
    ['isGlobal that is a string', { isGlobal: 'no' }, 'isGlobal must be true or false; received "no"'],
    ['a prefix with a lone surrogate', { keyPrefix: '\uDC00' }, 'keyPrefix must be well-formed Unicode'],
    ['a prefix that opens a brace', { keyPrefix: '{A' }, 'keyPrefix must not contain braces'],
    ['a prefix with a hash tag behind something', { keyPrefix: 'last:{A}' }, 'must not contain braces'],
    ['a prefix with two hash tags', { keyPrefix: '{A}{B}' }, 'must not contain braces'],
    ['a prefix with an empty hash tag', { keyPrefix: '{}' }, 'must not contain braces'],
    ['a Sentinel that is null', { nodes: { sentinels: [null], name: 'a' } }, 'nodes[0].sentinels[0].host'],
    [
      'a Sentinel group with a symbol for a name',
      { nodes: { sentinels: [{ host: 'a' }], name: Symbol('a') } },
      'nodes[0].name must be',
    ],
    ['half a client', { nodes: { evalsha: 1 } }, 'nodes[0] has the option "evalsha"'],
  ])('%s', (_what, options, message) => {
    expect(refusal(() => RedlockModule.forRoot(options as never))).toContain(`RedlockModule: `);
    expect(refusal(() => RedlockModule.forRoot(options as never))).toContain(message);
  });

  it('an option that cannot be read, with the reason as its cause', () => {
    const fault = new Error('no configuration');
    const options = {
      get ttl(): never {
        throw fault;
      },
    };
    expect(() => RedlockModule.forRoot(options)).toThrow(
      expect.objectContaining({
        message: 'RedlockModule: ttl cannot be read (see the cause)',
        option: 'ttl',
        cause: fault,
      }),
    );
  });
});

it('forRoot accepts a hash tag at the start of the prefix, and options with getters of a class', async () => {
  class Config {
    get keyPrefix(): string {
      return '{shop}';
    }
  }
  const log: string[] = [];
  const logger = { log: (line: string) => log.push(line), error: () => {}, warn: () => {} };
  await start({ redlock: null, imports: [RedlockModule.forRoot(new Config())], logger });
  expect(log.join('\n')).toContain('key prefix "{shop}"');
});

describe('forRootAsync refuses', () => {
  class Factory {
    createRedlockOptions(): object {
      return {};
    }
  }

  it.each<[what: string, options: unknown, message: string]>([
    ['nothing', undefined, 'options must be an object, not undefined'],
    [
      'no way to create the options',
      {},
      'useFactory is missing: set one of useFactory, useClass and useExisting',
    ],
    [
      'two ways to create the options',
      { useFactory, useClass: Factory },
      'useFactory cannot be combined with useClass',
    ],
    [
      'an option of the module',
      { useFactory, ttl: '30s' },
      'unknown option "ttl" (known options: imports, inject',
    ],
    [
      'an option of the module, and says where it belongs',
      { useFactory, nodes: [] },
      'return it from useFactory',
    ],
    [
      'isGlobal that is a string',
      { useFactory, isGlobal: 'no' },
      'isGlobal must be true or false; received "no"',
    ],
    ['a factory that is an object', { useFactory: {} }, 'useFactory must be a function; received an object'],
    ['a class that is a string', { useClass: 'Factory' }, 'useClass must be a function; received "Factory"'],
    ['a token that is an object', { useExisting: {} }, 'useExisting must be the token of a provider'],
    [
      'tokens that are no list',
      { useFactory, inject: 'CONFIG' },
      'inject must be an array; received "CONFIG"',
    ],
    [
      'a list of tokens with a hole',
      { useFactory, inject: HOLES },
      'inject[0] is missing: the array has a hole',
    ],
    ['null for the imports', { useFactory, imports: null }, 'imports must be an array; received null'],
  ])('%s', (_what, options, message) => {
    const text = refusal(() => RedlockModule.forRootAsync(options as never));
    expect(text).toContain('RedlockModule.forRootAsync(): ');
    expect(text).toContain(message);
  });

  @Injectable()
  class NoFactory {}
  @Module({ providers: [NoFactory], exports: [NoFactory] })
  class NoFactoryModule {}

  it.each<[what: string, options: unknown, message: string]>([
    [
      'isGlobal from a factory',
      { useFactory: () => ({ isGlobal: false }) },
      'set isGlobal in forRoot or forRootAsync itself',
    ],
    [
      'a factory that returns a URL',
      { useFactory: () => 'redis://:s3cr3t@a' },
      'options must be an object, not a string',
    ],
    ['a factory that returns nothing', { useFactory: () => {} }, 'options must be an object, not undefined'],
    [
      'a class without createRedlockOptions',
      { useClass: NoFactory },
      'useClass must provide an object with a method createRedlockOptions()',
    ],
    [
      'a provider without createRedlockOptions',
      { imports: [NoFactoryModule], useExisting: NoFactory },
      'received an instance of NoFactory',
    ],
  ])('at the start: %s', async (_what, options, message) => {
    const redlock = RedlockModule.forRootAsync(options as never);
    const error: unknown = await build({ redlock: null, imports: [redlock] }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain('s3cr3t');
  });
});

describe('@Exclusive rejects a call', () => {
  it('whose name function returns a lone surrogate', async () => {
    @Injectable()
    class Jobs {
      @Exclusive(() => '\uD800') async work(): Promise<void> {}
    }
    const app = await start({ providers: [Jobs] });
    await expect(app.get(Jobs).work()).rejects.toThrow('must be well-formed Unicode');
  });
});

function cluster(keyPrefix?: string): Cluster {
  return new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true, keyPrefix });
}

describe('a module that is imported twice', () => {
  const node = new MemoryNode();
  const URL_0 = 'redis://127.0.0.1:1/0';
  const client = new Redis(URL_0, { lazyConnect: true });

  it.each<[what: string, one: object, other: object]>([
    ['other nodes', { nodes: node }, { nodes: new MemoryNode() }],
    ['memories of their own', {}, {}],
    ['another database', { nodes: URL_0 }, { nodes: 'redis://127.0.0.1:1/1' }],
    ['a client with a prefix', { nodes: client }, { nodes: client.duplicate({ keyPrefix: 'shop' }) }],
    ['a Cluster with a prefix', { nodes: cluster() }, { nodes: cluster('{shop}') }],
    ['another number of nodes', { nodes: node }, { nodes: [node, new MemoryNode()] }],
    ['another keyPrefix', { nodes: node }, { nodes: node, keyPrefix: 'OTHER' }],
  ])('is refused at the start with %s', async (_what, one, other) => {
    const imports = [RedlockModule.forRoot(one), RedlockModule.forRoot({ isGlobal: false, ...other })];
    const app = await build({ redlock: null, imports });
    await expect(app.init()).rejects.toThrow(/RedlockModule: (nodes|keyPrefix) must be the same wherever/);
    await app.close().catch(() => {});
  });

  it.each<[what: string, one: object, other: object]>([
    ['the same nodes', { nodes: node }, { nodes: [node] }],
    ['one server, written in two ways', { nodes: URL_0 }, { nodes: { host: '127.0.0.1', port: 1, db: 0 } }],
    ['a client of one server, and its URL', { nodes: client }, { nodes: URL_0 }],
    ['two clients of one Cluster', { nodes: cluster() }, { nodes: cluster() }],
    ['one of them disabled', { nodes: node }, { enabled: false }],
  ])('starts with %s', async (_what, one, other) => {
    const imports = [RedlockModule.forRoot(one), RedlockModule.forRoot({ isGlobal: false, ...other })];
    await expect(start({ redlock: null, imports })).resolves.toBeDefined();
  });
});
