import { readFileSync } from 'node:fs';
import { Redis, type RedisOptions } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { REDIS_OPTIONS } from '../../src/nodes/redis/redis-options.js';
import { close, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();

type Option = (typeof REDIS_OPTIONS)[number];

/** What says where a server is; the last two have tests of their own. */
const PLACES: Option[] = ['host', 'port', 'path', 'sentinels', 'Connector'];

/** For each option the values that would do the most harm to locks, or that people have for other purposes. */
const VALUES: Record<Exclude<Option, (typeof PLACES)[number]>, readonly unknown[]> &
  Partial<Record<Option, readonly unknown[]>> = {
  autoPipeliningIgnoredCommands: [['evalsha']],
  autoResendUnfulfilledCommands: [true],
  autoResubscribe: [false],
  blockingTimeout: [1],
  blockingTimeoutGrace: [0],
  clientInfoTag: ['shop'],
  commandQueue: [false],
  commandTimeout: [1],
  connectTimeout: [5000],
  connectionName: ['shop'],
  db: [3],
  disableClientInfo: [true],
  disconnectTimeout: [1],
  enableAutoPipelining: [true],
  enableOfflineQueue: [true, false],
  enableReadyCheck: [false],
  enableTLSForSentinelMode: [true],
  failoverDetector: [true],
  family: [4],
  himportFieldsets: [[]],
  keepAlive: [1, 60_000],
  keyPrefix: ['shop:', '{shop}'],
  lazyConnect: [true, false],
  maxLoadingRetryTime: [1],
  maxRetriesPerRequest: [null, 0, 20],
  monitor: [true],
  name: ['main'],
  natMap: [{}],
  noDelay: [false],
  offlineQueue: [false],
  password: [''],
  preferredSlaves: [[{ ip: '10.1.1.1', port: '6379' }]],
  protocol: [2, 3],
  readOnly: [true],
  reconnectOnError: [() => true, () => 2],
  replyMapping: ['resp3', 'legacy'],
  retryStrategy: [null, () => null],
  role: ['master'],
  scripts: [{ set: { lua: "return 'nothing'", numberOfKeys: 1 }, evalsha: { lua: 'return 1' } }],
  sentinelCommandTimeout: [1],
  sentinelMaxConnections: [1],
  sentinelPassword: ['secret'],
  sentinelReconnectStrategy: [() => null],
  sentinelRetryStrategy: [() => null],
  sentinelTLS: [{}],
  sentinelUsername: ['someone'],
  showFriendlyErrorStack: [true],
  socketTimeout: [1],
  stringNumbers: [true],
  tls: [undefined],
  updateSentinels: [false],
  username: [undefined],
};

const byName = (a = '', b = ''): number => a.localeCompare(b);

const CASES = Object.entries(VALUES).flatMap(([option, values]) =>
  values.map((value) => ({ option, value })),
);

it('are all tried', () => {
  expect([...Object.keys(VALUES), ...PLACES].toSorted(byName)).toEqual(REDIS_OPTIONS.toSorted(byName));
});

it('are all in the guide', () => {
  const guide = readFileSync('docs/redis-set-ups.md', 'utf8');
  const table = /^\| option of a connection .*?\n\n/ms.exec(guide)?.[0] ?? '';
  const cells = table
    .split('\n')
    .slice(2)
    .map((row) => row.split('|')[1] ?? '')
    .filter((cell) => !/any other name|none of/.test(cell));
  const named = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)/g)].map(([, name]) => name));
  expect(named.toSorted(byName)).toEqual(REDIS_OPTIONS.toSorted(byName));
});

/** Two instances take turns with a lock and share an interval, as a job would. @returns What the log warns of. */
async function votes(node: () => Redis | RedisOptions): Promise<string[]> {
  await clientOf(server.it).flushall();
  const logger = new RecordingLogger();
  const apps = [
    await start({ redlock: { nodes: node() }, logger }),
    await start({ redlock: { nodes: node() }, logger }),
  ] as const;
  const [one, two] = apps.map((app) => app.get(RedlockService)) as [RedlockService, RedlockService];
  const lock = await one.lock('report');
  expect(lock).not.toBeNull();
  expect(await two.lock('report')).toBeNull();
  await lock?.extend();
  await lock?.release();
  expect(await two.run('daily', () => 'done', { every: '1h' })).toEqual({ ran: true, value: 'done' });
  expect(await one.run('daily', () => 'again', { every: '1h' })).toMatchObject({ ran: false });
  await Promise.all(apps.map(close));
  return logger.at('warn');
}

describe.each(CASES)('$option: $value', ({ option, value }) => {
  const options = (): RedisOptions => ({ host: '127.0.0.1', port: server.it.port, [option]: value });

  it('does no harm in options', async () => {
    expect(await votes(options)).toEqual([]);
  });

  it('does no harm in a client that the application has', async () => {
    const clients: Redis[] = [];
    try {
      const newClient = (): Redis => {
        // Whether the client itself is of any use with such an option does not matter.
        const client = new Redis({ ...options(), lazyConnect: true });
        client.on('error', () => {});
        clients.push(client);
        return client;
      };
      expect(await votes(newClient)).toEqual([]);
    } finally {
      for (const client of clients) client.disconnect();
    }
  });
});
