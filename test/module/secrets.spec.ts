import { inspect } from 'node:util';
import { ConsoleLogger, Injectable, Module } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Cluster, Redis } from 'ioredis';
import { afterEach, expect, it, vi } from 'vitest';
import {
  type CurrentRun,
  Exclusive,
  InvalidOptionError,
  MemoryNode,
  type NodeOption,
  type RedlockLock,
  RedlockModule,
  type RedlockModuleOptions,
  RedlockService,
  StoreDownError,
} from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { byHand, fire, ONCE_A_YEAR, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();
afterEach(() => void vi.restoreAllMocks());

const SECRET = 's3cr3t-Passw0rd';

@Injectable()
class Jobs {
  run: CurrentRun | undefined;

  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<void> {
    this.run = this.redlock.current();
  }
}

/** Everything that an object shows of itself. */
function shown(value: unknown): string {
  const written: string[] = [];
  const write = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((text) => written.push(String(text)) > 0);
  new ConsoleLogger().log({ value });
  new ConsoleLogger({ json: true }).log({ value });
  write.mockRestore();
  const inspected = inspect(value, { depth: 12, showHidden: true, getters: true, maxArrayLength: null });
  const copies = [() => JSON.stringify({ value }), () => inspect(structuredClone(value), { depth: 12 })];
  for (const copy of copies) {
    try {
      written.push(copy());
    } catch {
      // It leads back to itself, or has a function.
    }
  }
  return [...written, inspected].join('\n');
}

it.each<[string, (port: number) => NodeOption]>([
  ['a URL', (port) => `redis://worker:${SECRET}@127.0.0.1:${port}`],
  ['options', (port) => ({ host: '127.0.0.1', port, username: 'worker', password: SECRET })],
  [
    'a client',
    (port) => new Redis({ host: '127.0.0.1', port, username: 'worker', password: SECRET, lazyConnect: true }),
  ],
])('no object that users hold leads to the password in %s', async (_what, nodeOf) => {
  await clientOf(server.it).flushall();
  await clientOf(server.it).acl('SETUSER', 'worker', 'on', `>${SECRET}`, '~*', '+@all');
  const app = await start({ redlock: { nodes: nodeOf(server.it.port) }, providers: [Jobs] });
  const jobs = app.get(Jobs);
  const redlock = app.get(RedlockService);
  const events: unknown[] = [];
  for (const name of ['started', 'finished', 'skipped'] as const)
    redlock.on(name, (event) => events.push(event));
  await fire(app, 'report');
  const lock = (await redlock.lock('import')) as RedlockLock;

  expect(jobs.run).toBeDefined();
  for (const held of [jobs, redlock, lock, jobs.run, events]) expect(shown(held)).not.toContain(SECRET);
  // The check itself sees a secret where there is one.
  expect(shown({ deep: [{ password: SECRET }] })).toContain(SECRET);
});

it('the errors of a node that refuses the password do not lead to it', async () => {
  const nodes = `redis://nobody:${SECRET}@127.0.0.1:${server.it.port}`;
  const redlock = (await start({ redlock: { nodes, onStoreDown: 'throw' } })).get(RedlockService);
  const error: unknown = await redlock.lock('import').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreDownError);
  expect(shown(error)).not.toContain(SECRET);
});

/** Where somebody may put a password, and what the application then says. */
const MISPLACED: [what: string, options: unknown][] = [
  ['a URL in place of the options', `redis://:${SECRET}@127.0.0.1`],
  ['a URL for a host', { nodes: { host: `redis://:${SECRET}@127.0.0.1` } }],
  ['a URL without an @ for a host', { nodes: { host: `redis://:${SECRET}` } }],
  ['a user and a password for a host', { nodes: { host: `worker:${SECRET}` } }],
  ['a URL for a path', { nodes: { path: `redis://:${SECRET}@127.0.0.1` } }],
  ['a URL for a path, after a slash', { nodes: { path: `//redis://:${SECRET}@127.0.0.1` } }],
  ['a user and a password for a path', { nodes: { path: `worker:${SECRET}` } }],
  ['a URL for a Sentinel', { nodes: { name: 'a', sentinels: [`redis://:${SECRET}@a`] } }],
  [
    'a URL for the host of a Sentinel',
    { nodes: { name: 'a', sentinels: [{ host: `redis://:${SECRET}@a` }] } },
  ],
  ['a password for a port', { nodes: { host: 'a', port: `:${SECRET}@` } }],
  ['a malformed URL among others', { nodes: ['redis://a', `redis://:${SECRET}@b:port`] }],
  ['a URL without an @', { nodes: `redis://worker:${SECRET}` }],
  ['a URL with a slash too few', { nodes: `redis:/:${SECRET}@127.0.0.1` }],
  ['a URL for a database', { nodes: { host: 'a', db: `redis://:${SECRET}@a` } }],
  ['a URL that is an object', { nodes: new URL(`redis://:${SECRET}@127.0.0.1`) }],
  ['a list in a list', { nodes: [[`redis://:${SECRET}@127.0.0.1`]] }],
  ['a password in options without a host', { nodes: { password: SECRET } }],
  ['a URL as the name of an option', { [`redis://:${SECRET}@127.0.0.1`]: true }],
  ['a URL as the name of an option of a node', { nodes: { [`redis://:${SECRET}@127.0.0.1`]: true } }],
  ['a URL for a duration', { ttl: `redis://:${SECRET}@127.0.0.1` }],
  ['a list for a password', { nodes: { host: 'a', password: [SECRET] } }],
  ['a password for TLS', { nodes: { host: 'a', tls: SECRET } }],
  ['a list for a duration', { ttl: [`redis://:${SECRET}@127.0.0.1`] }],
  [
    'a client with a URL for a host',
    { nodes: new Redis({ host: `redis://:${SECRET}@a`, lazyConnect: true }) },
  ],
  [
    'a Cluster with a URL for a host',
    { nodes: new Cluster([{ host: `redis://:${SECRET}@a` }], { lazyConnect: true }) },
  ],
];

it.each(MISPLACED)('%s is refused, and the error does not lead to the password', (_what, options) => {
  let error: unknown;
  try {
    RedlockModule.forRoot(options as RedlockModuleOptions);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect(shown(error)).not.toContain(SECRET);
});

it.each<[what: string, nodes: NodeOption]>([
  ['a URL', `redis://worker:${SECRET}@127.0.0.1:1`],
  ['a URL with a query', `redis://127.0.0.1:1?password=${SECRET}`],
  ['options', { host: '127.0.0.1', port: 1, password: SECRET }],
  [
    'options of a Sentinel group',
    { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'a', sentinelPassword: SECRET },
  ],
  [
    'a Sentinel group with a URL for a name',
    { sentinels: [{ host: '127.0.0.1', port: 1 }], name: `redis://:${SECRET}@a` },
  ],
  ['a Cluster', new Cluster([`redis://:${SECRET}@127.0.0.1:1`], { lazyConnect: true })],
])(
  'no line of the log, error, module or service leads to the password in %s that is out of reach',
  async (_what, nodes) => {
    const module = RedlockModule.forRoot({ nodes, onStoreDown: 'throw', nodeTimeout: '100ms' });
    const logger = new RecordingLogger();
    const app = await start({ redlock: null, imports: [module], logger });
    const redlock = app.get(RedlockService);
    const error: unknown = await redlock.lock('import').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreDownError);
    for (const held of [logger.lines, error, redlock, module, RedlockModule]) {
      expect(shown(held)).not.toContain(SECRET);
    }
  },
);

it('a node of the application with a password in its address or its errors does not show it', async () => {
  class Remote extends MemoryNode {
    override readonly address = `redis://worker:${SECRET}@10.1.1.1`;
    override claim(): Promise<never> {
      return Promise.reject(new Error(`cannot reach redis://worker:${SECRET}@10.1.1.1`));
    }
    override open(): Promise<never> {
      return Promise.reject(new Error(`cannot open worker:${SECRET}@10.1.1.1`));
    }
  }
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes: new Remote(), onStoreDown: 'throw' }, logger });
  const error: unknown = await app
    .get(RedlockService)
    .lock('import')
    .catch((reason: unknown) => reason);
  expect(String(error)).toContain('cannot reach redis://***');
  expect(`${String(error)} ${logger.text}`).not.toContain(SECRET);
});

it('a fleet of a test does not lead to the password, five levels deep', async () => {
  const nodes = `redis://worker:${SECRET}@127.0.0.1:${server.it.port}`;
  await clientOf(server.it).acl('SETUSER', 'worker', 'on', `>${SECRET}`, '~*', '+@all');
  @Module({ imports: [RedlockModule.forRoot({ nodes })] })
  class AppModule {}
  const fleet = await TestFleet.create(AppModule, { nodes, instances: 1 });
  for (const held of [fleet, new MemoryNode()]) {
    expect(inspect(held, { depth: 5, getters: true })).not.toContain(SECRET);
  }
  await fleet.close();
});
