import { Injectable } from '@nestjs/common';
import { Cluster, Redis } from 'ioredis';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  Exclusive,
  InvalidOptionError,
  MemoryNode,
  type NodeOption,
  RedlockModule,
  type RedlockModuleOptions,
  RedlockService,
} from '../../src/index.js';
import { RedisServer } from '../engine/redis-server.js';
import { build, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

afterEach(() => void vi.unstubAllEnvs());

/** What `forRoot` refuses these options with. */
function refusal(options: unknown): string {
  try {
    RedlockModule.forRoot(options as RedlockModuleOptions);
  } catch (error) {
    if (error instanceof InvalidOptionError) return String(error);
    throw error;
  }
  throw new Error('forRoot accepted it');
}

const memory = new MemoryNode();
const no = (): void => {};
/** A list of two entries that are not there. */
const HOLES: unknown[] = [];
HOLES.length = 2;
const DURATION = "such as '500ms', '30s' or '10m'";
const NODE = 'redis://10.1.1.1:6379';

describe('forRoot refuses, with the option, its value and what would be right,', () => {
  it.each<[what: string, options: unknown, option: string, value: string, right: string]>([
    ['an empty list of nodes', { nodes: [] }, 'nodes', 'received an empty array', NODE],
    ['no URL', { nodes: 'localhost' }, 'nodes[0]', '"localhost"', NODE],
    ['an empty URL', { nodes: '' }, 'nodes[0]', 'it is empty', 'an environment variable'],
    ['a blank URL', { nodes: [NODE, ' '] }, 'nodes[1]', 'it is empty', 'an environment variable'],
    ['an empty host', { nodes: { host: '' } }, 'nodes[0].host', 'received ""', "'10.1.1.1'"],
    ['several URLs', { nodes: 'redis://a:6379,redis://b:6379' }, 'nodes[0]', '"redis://***"', 'an array'],
    ['URLs with blanks', { nodes: 'redis://a, redis://b' }, 'nodes[0]', '"redis://***"', 'an array'],
    ['URLs with passwords', { nodes: 'redis://:x@a;rediss://:y@b' }, 'nodes[0]', '"redis://***"', 'an array'],
    ['several hosts', { nodes: 'redis://:x@a:1,b:2' }, 'nodes[0]', '"redis://***"', 'an array'],
    ['a URL with a comma in its password', { nodes: 'redis://:x,y:1/z@a' }, 'nodes[0]', '***', 'encoded'],
    [
      'a URL after a blank',
      { nodes: ' redis://a' },
      'nodes[0]',
      '"redis://***"',
      'begin or end with a space',
    ],
    ['a URL before a line break', { nodes: 'redis://a\n' }, 'nodes[0]', '"redis://***"', 'end with a space'],
    ['another kind of URL', { nodes: 'http://10.1.1.1' }, 'nodes[0]', '"http://10.1.1.1"', 'rediss://'],
    ['a URL without a host', { nodes: ['redis://'] }, 'nodes[0]', '"redis://"', 'a URL with a host'],
    ['a port that is none', { nodes: ['redis://a:99999'] }, 'nodes[0]', '"redis://a:99999"', NODE],
    ['a database that is none', { nodes: ['redis://a/main'] }, 'nodes[0]', 'redis://a/main', NODE],
    ['a password that cannot be decoded', { nodes: ['redis://:%zz@a'] }, 'nodes[0]', '***', NODE],
    ['a node that is a number', { nodes: [memory, 6379] }, 'nodes[1]', '6379', NODE],
    ['a node that is null', { nodes: [null] }, 'nodes[0]', 'null', NODE],
    ['memory among others', { nodes: ['memory', NODE] }, 'nodes[0]', "'memory'", 'MemoryNode'],
    ['a URL in options', { nodes: { url: NODE } }, 'nodes[0]', '"url"', 'ioredis does not have'],
    [
      'a misspelt option of ioredis',
      { nodes: { hots: 'a', port: 1 } },
      'nodes[0]',
      '"hots"',
      'ioredis does not have',
    ],
    [
      'options that lead nowhere',
      { nodes: { password: 's3cr3t', db: 1 } },
      'nodes[0]',
      'password, db',
      'where',
    ],
    ['no options', { nodes: {} }, 'nodes[0]', 'an empty object', NODE],
    [
      'a host that is not set',
      { nodes: { host: undefined, port: 6379 } },
      'nodes[0].host',
      'undefined',
      "'10.1.1.1'",
    ],
    ['a host that is null', { nodes: { host: null } }, 'nodes[0].host', 'null', "'10.1.1.1'"],
    [
      'sentinels that are not set',
      { nodes: { sentinels: undefined, name: 'main' } },
      'nodes[0]',
      'sentinels',
      'where',
    ],
    ['a list in a list', { nodes: [[NODE]] }, 'nodes[0]', 'an array', 'directly into nodes'],
    ['a promise', { nodes: Promise.resolve(NODE) }, 'nodes[0]', 'a promise', 'forRootAsync'],
    ['a Set', { nodes: new Set([NODE]) }, 'nodes[0]', 'class Set', NODE],
    ['a Map', { nodes: new Map() }, 'nodes[0]', 'class Map', NODE],
    ['a URL object', { nodes: new URL(NODE) }, 'nodes[0]', 'class URL', NODE],
    ['a Date', { nodes: new Date() }, 'nodes[0]', 'class Date', NODE],
    ['half a LockNode', { nodes: { claim: () => 1 } }, 'nodes[0]', 'address', 'claim, extend, settle'],
    [
      'a LockNode that can vote, but not tell of jobs',
      { nodes: { address: 'db:1', claim: no, extend: no, settle: no, release: no, open: no, close: no } },
      'nodes[0]',
      'address',
      'look, pause, register',
    ],
    [
      'a replica of a Sentinel group',
      { nodes: { sentinels: [{}], name: 'a', role: 'slave' } },
      'nodes[0].role',
      'slave',
      'master',
    ],
    [
      'a database in options that is none',
      { nodes: { host: 'a', db: 'main' } },
      'nodes[0].db',
      '"main"',
      'number',
    ],
    [
      'a port that is not a number',
      { nodes: { host: 'a', port: Number.NaN } },
      'nodes[0].port',
      'NaN',
      '65535',
    ],
    ['a fragment of a URL', { nodes: `${NODE}#main` }, 'nodes[0]', '***', 'encodeURIComponent'],
    [
      'a query that ioredis would make a text of',
      { nodes: `${NODE}?connectTimeout=5` },
      'nodes[0]',
      '***',
      'ioredis options',
    ],
    [
      'a query that nobody knows',
      { nodes: `${NODE}?ssl_cert_reqs=none` },
      'nodes[0]',
      '***',
      'only set db, family',
    ],
    [
      'a database in a query that is none',
      { nodes: `${NODE}?db=main` },
      'nodes[0]',
      '***',
      'number of a database',
    ],
    ['two databases in one URL', { nodes: `${NODE}/1?db=2` }, 'nodes[0]', '***', 'not both'],
    ['another family', { nodes: `${NODE}?family=5` }, 'nodes[0]', '***', '4, 6 or 0'],
    [
      'a client that is a replica',
      { nodes: new Redis({ lazyConnect: true, role: 'slave' }) },
      'nodes[0].role',
      'slave',
      'master',
    ],
    [
      'a prefix that spreads the keys of a job over a Cluster',
      { nodes: new Cluster([{ host: 'a' }], { lazyConnect: true, keyPrefix: 'shop:' }) },
      'nodes[0].keyPrefix',
      '"shop:"',
      'keyPrefix of RedlockModule',
    ],
    [
      'the same prefix in redisOptions',
      { nodes: new Cluster([{ host: 'a' }], { lazyConnect: true, redisOptions: { keyPrefix: 'shop:' } }) },
      'nodes[0].keyPrefix',
      '"shop:"',
      'duplicate',
    ],
    [
      'a URL in upper case, which ioredis would not encrypt',
      { nodes: 'REDISS://a' },
      'nodes[0]',
      'REDISS://a',
      'lower case',
    ],
    ['a URL with a space in front', { nodes: ' redis://u:s3cr3t@a' }, 'nodes[0]', '***', 'with a space'],
    ['a URL with a line break', { nodes: 'redis://u:p\ns3cr3t@a' }, 'nodes[0]', '***', 'without spaces'],
    ['a URL with a backslash', { nodes: 'redis://u:p\\s@a' }, 'nodes[0]', '***', 'without spaces'],
    ['an encoded host', { nodes: 'redis://%68ost' }, 'nodes[0]', '***', 'host'],
    ['an option twice in a query', { nodes: `${NODE}?db=3&db=4` }, 'nodes[0]', '***', 'twice'],
    [
      'a password in two places',
      { nodes: 'redis://u:p@a?password=x' },
      'nodes[0]',
      '***',
      'either before the host',
    ],
    ['an empty fragment', { nodes: `${NODE}#` }, 'nodes[0]', '***', 'encodeURIComponent'],
    [
      'a host that is a URL',
      { nodes: { host: 'redis://u:s3cr3t@a' } },
      'nodes[0].host',
      '***',
      'replaces the whole object',
    ],
    ['an empty path of a socket', { nodes: { path: '' } }, 'nodes[0].path', 'received', 'socket'],
    ['a Connector that is no class', { nodes: { Connector: '' } }, 'nodes[0].Connector', '""', 'class'],
    ['another family in options', { nodes: { host: 'a', family: 5 } }, 'nodes[0].family', '5', '4 or 6'],
    [
      'a negative connectTimeout',
      { nodes: { host: 'a', connectTimeout: -1 } },
      'nodes[0].connectTimeout',
      '-1',
      'milliseconds',
    ],
    [
      'a Sentinel that is a string',
      { nodes: { sentinels: ['a:1'], name: 'a' } },
      'nodes[0].sentinels[0].host',
      'undefined',
      'host',
    ],
    [
      'a Sentinel without a host',
      { nodes: { sentinels: [{ port: 1 }], name: 'a' } },
      'nodes[0].sentinels[0].host',
      'undefined',
      'host',
    ],
    [
      'a Sentinel that is missing',
      { nodes: { sentinels: HOLES, name: 'a' } },
      'nodes[0].sentinels[0].host',
      'undefined',
      'host',
    ],
    ['a list with a hole', { nodes: HOLES }, 'nodes[0]', 'undefined', NODE],
    [
      'options that are inherited',
      { nodes: Object.create({ host: 'a' }) as object },
      'nodes[0]',
      'class Object',
      '{ ...config }',
    ],
    [
      'options with getters of a class',
      {
        nodes: new (class Config {
          host = 'a';
          get tls() {
            return {};
          }
        })(),
      },
      'nodes[0]',
      'class Config',
      '{ ...config }',
    ],
    [
      'a LockNode without an address',
      { nodes: Object.assign(Object.create(memory) as object, { address: 7 }) },
      'nodes[0]',
      'address',
      'every LockNode',
    ],
    [
      'a prefix in which an empty hash tag comes first',
      { nodes: new Cluster([{ host: 'a' }], { lazyConnect: true, keyPrefix: '{}{shop}' }) },
      'nodes[0].keyPrefix',
      '{}{shop}',
      'duplicate',
    ],
    ['a host that is no text', { nodes: { host: 7 } }, 'nodes[0].host', '7', "'10.1.1.1'"],
    ['a port out of range', { nodes: { host: 'a', port: 70_000 } }, 'nodes[0].port', '70000', '65535'],
    [
      'a Sentinel group without a name',
      { nodes: { sentinels: [{}] } },
      'nodes[0].name',
      'undefined',
      'mymaster',
    ],
    ['one address twice', { nodes: [NODE, NODE] }, 'nodes[1]', '10.1.1.1:6379', 'nodes[0]'],
    [
      'one address as URL and as options',
      { nodes: ['redis://A', { host: 'a' }] },
      'nodes[1]',
      'a:6379',
      'nodes[0]',
    ],
    [
      'two databases of one server',
      { nodes: ['redis://a/0', 'redis://a/1'] },
      'nodes[1]',
      'a:6379',
      'nodes[0]',
    ],
    ['one MemoryNode twice', { nodes: [memory, memory] }, 'nodes[1]', 'same', 'nodes[0]'],
    ['a negative duration', { ttl: -5 }, 'ttl', '-5', DURATION],
    ['no time at all', { ttl: 0 }, 'ttl', '0', DURATION],
    ['NaN', { nodeTimeout: Number.NaN }, 'nodeTimeout', 'NaN', DURATION],
    ['what is no duration', { nodeTimeout: 'soon' }, 'nodeTimeout', '"soon"', DURATION],
    ['an empty duration', { shutdownTimeout: '' }, 'shutdownTimeout', '""', DURATION],
    ['a negative duration in words', { shutdownTimeout: '-1s' }, 'shutdownTimeout', '"-1s"', DURATION],
    ['longer than a timer can wait', { maxRuntime: '25d' }, 'maxRuntime', '"25d"', '24 days'],
    ['longer than a year', { overdueAfter: '53w' }, 'overdueAfter', '"53w"', '366 days'],
    ['a ttl too short to be renewed', { ttl: '1s' }, 'ttl', '"1s"', '1500 ms'],
    ['a ttl too short for its nodeTimeout', { ttl: '30s', nodeTimeout: '11s' }, 'ttl', '"30s"', '33000 ms'],
    ['a default ttl too short for the nodeTimeout', { nodeTimeout: '11s' }, 'ttl', '30', '33000 ms'],
    ['an empty keyPrefix', { keyPrefix: '' }, 'keyPrefix', '""', "'JOB_LOCKER'"],
    ['an empty instanceId', { instanceId: '' }, 'instanceId', '""', "'worker-1'"],
    ['enabled that is a text', { enabled: 'false' }, 'enabled', '"false"', 'true or false'],
    ['a misspelt option', { keyprefix: 'SHOP' }, 'unknown option', '"keyprefix"', 'keyPrefix'],
    ['an option of a job', { recover: true }, 'unknown option', '"recover"', 'onStoreDown'],
    ['nothing', null, 'options', 'null', 'an object'],
    ['another onStoreDown', { onStoreDown: 'wait' }, 'onStoreDown', '"wait"', "'skip', 'run' or 'throw'"],
  ])('%s', (_what, options, option, value, right) => {
    const message = refusal(options);
    expect(message).toContain(`InvalidOptionError: RedlockModule: ${option} `);
    expect(message).toContain(value);
    expect(message).toContain(right);
  });

  it('no nodes with NODE_ENV=production, unless it is told that memory will do', () => {
    vi.stubEnv('NODE_ENV', 'production');
    const message = refusal({});
    for (const part of ['nodes must be set', 'NODE_ENV is production', NODE, "'memory'"]) {
      expect(message).toContain(part);
    }
    expect(() => RedlockModule.forRoot({ nodes: 'memory' })).not.toThrow();
    expect(() => RedlockModule.forRoot({ enabled: false })).not.toThrow();
  });
});

describe('a password', () => {
  it.each([
    'redis://:s3cr3t@',
    'redis://:s3cr3t@:6379',
    'redis://user:s3cr3t@10.1.1.1:99999',
    'redis://user:s3cr3t@10.1.1.1:port',
    'redis://user:s3cr3t@10.1.1.1,redis://user:s3cr3t@10.1.1.2',
    'redis://:s3cr3t@10.1.1.1; 10.1.1.2:6379?password=s3cr3t',
    'redis//user:s3cr3t@10.1.1.1',
    'user:s3cr3t@10.1.1.1',
    'http://user:s3cr3t@10.1.1.1',
    'redis://user:s3cr3t@10.1.1.1/main',
    'redis://user:s3cr3t%zz@10.1.1.1',
    'redis://10.1.1.1:port?password=s3cr3t',
    'redis://:s3cr3t',
    'redis://user:12#s3cr3t@10.1.1.1',
    'redis://user:12?s3cr3t@10.1.1.1',
    'redis://user:12?s3cr3t=@10.1.1.1',
    'redis://user:12/s3cr3t@10.1.1.1',
    'redis://user:12?s3cr3t',
    'redis://10.1.1.1?password=s3cr3t&pass=s3cr3t',
    'redis://10.1.1.1#s3cr3t',
    'redis-sentinel://:s3cr3t',
    'redis://u:s3cr3t',
    'redis://u:1/s3cr3t#x',
    'u:s3cr3t',
    'redis://s3cr3t:12#rest',
  ])('is never in the error about a malformed URL: %s', (url) => {
    expect(refusal({ nodes: [memory, url] })).not.toContain('s3cr3t');
  });

  const server = useServer();

  it('that is wrong is reported with the address, and never itself', async () => {
    const logger = new RecordingLogger();
    const url = server.it.url.replace('//', '//someone:s3cr3t@');
    const app = await start({ redlock: { nodes: url, onStoreDown: 'throw' }, logger });
    const error = await app
      .get(RedlockService)
      .lock('report')
      .catch((reason: unknown) => reason);
    expect(String(error)).toContain(`127.0.0.1:${server.it.port}`);
    expect(logger.at('warn').join('\n')).toContain(`127.0.0.1:${server.it.port}`);
    expect(`${String(error)} ${logger.text}`).toMatch(/WRONGPASS/);
    expect(`${String(error)} ${logger.text}`).not.toContain('s3cr3t');
  });
});

/** What the application says when it does not start. */
async function startWith(nodes: NodeOption[]): Promise<string> {
  const app = await build({ redlock: { nodes } });
  const error = await app.init().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InvalidOptionError);
  return String(error);
}

describe('at the start', () => {
  const server = useServer();

  const connections = async (): Promise<string> => String(await clientOf(server.it).client('LIST'));

  it('two names of one server are refused, and no connection is left', async () => {
    const { port } = server.it;
    const message = await startWith([`redis://127.0.0.1:${port}`, { host: 'localhost', port, family: 4 }]);
    for (const part of [
      `nodes[1] (localhost:${port}) is`,
      'the same server as nodes[0]',
      'run_id',
      'each once',
    ]) {
      expect(message).toContain(part);
    }
    await expect.poll(connections).not.toContain('nestjs-exclusive');
  });

  it('a read-only replica is refused', async () => {
    const replica = await RedisServer.start();
    try {
      await clientOf(replica).replicaof('127.0.0.1', server.it.port);
      const message = await startWith([replica.url]);
      for (const part of [
        `nodes[0] (127.0.0.1:${replica.port}) cannot be used`,
        'read-only replica',
        'use its master',
      ]) {
        expect(message).toContain(part);
      }
    } finally {
      await replica.stop();
    }
  });

  it('a database that the server does not have is refused: its locks would be in the first one', async () => {
    const message = await startWith([`${server.it.url}/99`]);
    for (const part of [
      `nodes[0] (127.0.0.1:${server.it.port}) cannot be used`,
      'refuses database 99',
      'DB index',
    ]) {
      expect(message).toContain(part);
    }
  });

  it('a wrong job leaves no connection behind', async () => {
    @Injectable()
    class Jobs {
      @Exclusive('same') async one(): Promise<void> {}
      @Exclusive('same') async two(): Promise<void> {}
    }
    const app = await build({ redlock: { nodes: server.it.url }, providers: [Jobs] });
    await expect(app.init()).rejects.toThrow(InvalidOptionError);
    await expect.poll(connections, { timeout: 3000 }).not.toContain('nestjs-exclusive');
  });

  it('a connection that the application has is looked over too, and stays open when it is refused', async () => {
    const client = new Redis(server.it.port, '127.0.0.1');
    try {
      expect(await startWith([server.it.url.replace('127.0.0.1', 'localhost'), client])).toContain(
        'nodes[1]',
      );
      expect(await client.ping()).toBe('PONG');
    } finally {
      client.disconnect();
    }
  });
});

describe('a name or a duration given to the service', () => {
  it.each<[string, (redlock: RedlockService) => Promise<unknown>, string]>([
    ['an empty name of a lock', (redlock) => redlock.lock(''), 'lock(): name must be a non-empty string'],
    ['a name that is a number', (redlock) => redlock.lock(7 as unknown as string), 'received 7'],
    [
      'an empty name of a run',
      (redlock) => redlock.run('', () => 1),
      'run(): name must be a non-empty string',
    ],
    [
      'a ttl that is none',
      (redlock) => redlock.lock('a', { ttl: 'long' as never }),
      'lock(): ttl must be a number of milliseconds',
    ],
    ['a ttl too short', (redlock) => redlock.lock('a', { ttl: 20 }), 'lock(): ttl must be at least 1500 ms'],
    ['a wait that is none', (redlock) => redlock.lock('a', { wait: -1 }), 'lock(): wait must be'],
    ['an every that is none', (redlock) => redlock.run('a', () => 1, { every: 0 }), 'run(): every must be'],
  ])('is refused: %s', async (_what, call, message) => {
    const redlock = (await start({})).get(RedlockService);
    await expect(call(redlock)).rejects.toThrow(InvalidOptionError);
    await expect(call(redlock)).rejects.toThrow(message);
  });
});
