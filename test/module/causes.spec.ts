import { setTimeout as pause } from 'node:timers/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type NodeOption, RedlockService } from '../../src/index.js';
import { Certificate } from '../engine/certificate.js';
import { findEngine, freePort, RedisServer } from '../engine/redis-server.js';
import { InstanceProcess } from '../fleet/instance-process.js';
import { LOG_KEY } from '../fleet/log.js';
import { start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf } from './redis.js';

afterEach(() => void vi.restoreAllMocks());

async function started(...args: string[]): Promise<RedisServer> {
  const server = await RedisServer.start({ args });
  onTestFinished(() => server.stop());
  return server;
}

/** The port of a server that is not Redis. */
async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function guarded(): Promise<RedisServer> {
  const server = await started();
  await clientOf(server).config('SET', 'requirepass', 'secret');
  return server;
}

/**
 * A server that loads its data for seconds.
 *
 * @param delay How long each of 20,000 keys takes, in microseconds.
 */
async function loading(delay = 200): Promise<RedisServer> {
  const server = await started(
    '--enable-debug-command',
    'yes',
    '--loading-process-events-interval-bytes',
    '2048',
  );
  const client = clientOf(server);
  await client.call('DEBUG', 'POPULATE', '20000');
  await client.config('SET', 'key-load-delay', delay);
  client.call('DEBUG', 'RELOAD').catch(() => {});
  const other = clientOf(server, { enableReadyCheck: false });
  await expect.poll(() => other.info('persistence'), { timeout: 5000 }).toContain('loading:1');
  return server;
}

function clusterAt(port: number): Cluster {
  return new Cluster([{ host: '127.0.0.1', port }], { lazyConnect: true });
}

/** What starts to listen for the test, and how the messages explain that it cannot be used. */
type Case = [what: string, nodeOf: () => Promise<NodeOption>, why: RegExp];

/** What the log and the error of a lock say when the only node cannot be used. */
interface Said {
  readonly error: unknown;
  readonly warnings: unknown[];
  /** A single Redis is a database: nothing should speak of votes. */
  readonly ofVotes: unknown[];
}

async function saidOf(nodes: NodeOption): Promise<Said> {
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes, nodeTimeout: '500ms', onStoreDown: 'throw' }, logger });
  const error = String(
    await app
      .get(RedlockService)
      .lock('report')
      .catch((reason: unknown) => reason),
  );
  const warnings = (): string[] => logger.at('warn').filter((line) => line.includes(' is unavailable: '));
  await expect.poll(warnings, { timeout: 3000 }).not.toEqual([]);
  const lines = [error, ...logger.lines.map(({ text }) => text)];
  return { error, warnings: warnings(), ofVotes: lines.filter((line) => /\bvotes?\b|quorum/.test(line)) };
}

const saying = (why: RegExp): Said => ({
  error: expect.stringMatching(why),
  warnings: [expect.stringMatching(why)],
  ofVotes: [],
});

const local = (port: number): string => `redis://127.0.0.1:${port}`;

const OTHER_PROTOCOLS: Case[] = [
  [
    'an HTTP server',
    async () => local(await listening(createHttpServer((_request, response) => response.end()))),
    /it is not a Redis server, because it answers "HTTP\/1\.1 400 Bad Request": correct the host or the port/,
  ],
  [
    'an SSH server',
    async () =>
      local(
        await listening(
          createServer((socket) => socket.on('error', () => {}).write('SSH-2.0-OpenSSH_9.6\r\n')),
        ),
      ),
    /it is not a Redis server, because it answers "SSH-2\.0-OpenSSH_9\.6": correct the host or the port/,
  ],
  [
    'a server that closes each connection at the first command',
    async () =>
      local(
        await listening(
          createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end())),
        ),
      ),
    /it closed the connection at once: .*maxclients.*requires TLS.*not Redis/,
  ],
  [
    'a server that never answers',
    async () => local(await listening(createServer((socket) => socket.on('error', () => {}).resume()))),
    /no answer within \d+ ms/,
  ],
  ['nothing', async () => local(await freePort()), /Redis at \S+(?: is unavailable)?: connect ECONNREFUSED/],
];

it.each(OTHER_PROTOCOLS)('%s on the port is said to be what it is', async (_what, nodeOf, why) => {
  expect(await saidOf(await nodeOf())).toEqual(saying(why));
});

describe.skipIf(findEngine().kind === 'embedded')('a server', () => {
  const CASES: Case[] = [
    [
      'that requires a password',
      async () => (await guarded()).url,
      /: it requires a password \(NOAUTH\): set the password in nodes/,
    ],
    [
      'that knows another password',
      async () => (await guarded()).url.replace('//', '//:other@'),
      /: it refuses the user name or the password \(WRONGPASS\): correct them/,
    ],
    [
      'that has no connection left',
      async () => {
        const server = await started('--maxclients', '1');
        await clientOf(server).ping();
        return server.url;
      },
      /maxclients/,
    ],
    [
      'that is loading its data',
      async () => (await loading()).url,
      /: it is loading its data .*\(LOADING\): wait/,
    ],
    [
      'that is loading its data, without a ready check',
      async () => ({ host: '127.0.0.1', port: (await loading()).port, enableReadyCheck: false }),
      /: it is loading its data .*\(LOADING\): wait/,
    ],
    [
      'whose user may not lock',
      async () => {
        const server = await started();
        await clientOf(server).acl('SETUSER', 'worker', 'on', '>secret', '~*', '+info', '+hello', '+time');
        return server.url.replace('//', '//worker:secret@');
      },
      /: NOPERM .*; its user needs evalsha, eval/,
    ],
    [
      'that is no Cluster',
      async () => clusterAt((await started()).port),
      /^(?:StoreDownError: .*)?Redis Cluster \S+.*: it is not a Cluster/,
    ],
    [
      'of a Cluster that is down',
      async () => clusterAt((await started('--cluster-enabled', 'yes')).port),
      /CLUSTER INFO/,
    ],
    [
      'that is no Sentinel',
      async () => ({ sentinels: [{ host: '127.0.0.1', port: (await started()).port }], name: 'shop' }),
      /Redis Sentinel group shop \(\S+\).*: the servers in the option sentinels are not Sentinels/,
    ],
  ];
  it.each(CASES)('%s is said to be what it is', async (_what, nodeOf, why) => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    expect(await saidOf(await nodeOf())).toEqual(saying(why));
  });

  it('that has loaded its data is used, and the log says so', async () => {
    const server = await loading();
    const logger = new RecordingLogger();
    const redlock = (await start({ redlock: { nodes: server.url }, logger })).get(RedlockService);
    await expect.poll(async () => (await redlock.run('report', () => 1)).ran, { timeout: 15_000 }).toBe(true);
    expect(logger.at('log').at(-1)).toMatch(/^Locks can be acquired again/);
    expect(logger.at('log').at(-2)).toMatch(/^Redis at \S+ is available again/);
  });

  it('that has loaded its data sooner than it estimated is used at once', async () => {
    const server = await loading(5000);
    const logger = new RecordingLogger();
    const redlock = (await start({ redlock: { nodes: server.url }, logger })).get(RedlockService);
    await expect.poll(() => logger.at('warn').join('\n')).toContain('LOADING');
    // It then estimates tens of seconds.
    await pause(1000);
    const admin = clientOf(server, { enableReadyCheck: false });
    await admin.config('SET', 'key-load-delay', 0);
    await expect.poll(() => admin.info('persistence')).toContain('loading:0');
    await expect.poll(async () => (await redlock.run('report', () => 1)).ran, { timeout: 1500 }).toBe(true);
  });
});

describe.skipIf(findEngine().kind === 'embedded')('TLS', () => {
  let certificate: Certificate;
  beforeAll(() => void (certificate = new Certificate()));
  afterAll(() => certificate.remove());

  const tlsPort = async (clients: 'no' | 'yes' = 'no'): Promise<number> => {
    const port = await freePort();
    await started(...certificate.serverArgs(port, clients));
    return port;
  };
  const trusting = (port: number, more = {}): NodeOption => ({
    host: '127.0.0.1',
    port,
    tls: { ca: readFileSync(certificate.file), ...more },
  });

  const CASES: Case[] = [
    [
      'of the server, and a redis URL',
      async () => local(await tlsPort()),
      /it closed the connection at once .*requires TLS/,
    ],
    [
      'of an HTTPS server, and a redis URL',
      async () => {
        const secrets = { cert: readFileSync(certificate.file), key: readFileSync(certificate.key) };
        return local(await listening(createHttpsServer(secrets)));
      },
      /it closed the connection at once.*requires TLS/,
    ],
    [
      'of a rediss URL, and a plain server',
      async () => (await started()).url.replace('redis', 'rediss'),
      /does it speak TLS\?/,
    ],
    [
      'of a rediss URL, and an HTTP server',
      async () => local(await listening(createHttpServer())).replace('redis', 'rediss'),
      /it does not speak TLS \(.*\): use a redis URL/,
    ],
    [
      'with a certificate that is not trusted',
      async () => `rediss://127.0.0.1:${await tlsPort()}`,
      /its certificate is not trusted \(self-signed certificate\): set tls: \{ ca \}/,
    ],
    [
      'with the certificate of another host',
      async () => trusting(await tlsPort(), { servername: 'redis.internal' }),
      /its certificate is for other hosts \(.*redis\.internal.*\): use one of them as the host/,
    ],
    ['that requires a client certificate', async () => trusting(await tlsPort('yes')), /client certificate/],
  ];
  it.each(CASES)('%s is told as such', async (_what, nodeOf, why) => {
    expect(await saidOf(await nodeOf())).toEqual(saying(why));
  });

  it('works with the certificate of the authority in NODE_EXTRA_CA_CERTS', async () => {
    const port = await freePort();
    const server = await started(...certificate.serverArgs(port, 'no'));
    vi.stubEnv('NODE_EXTRA_CA_CERTS', certificate.file);
    onTestFinished(() => void vi.unstubAllEnvs());
    const job = { name: 'report', when: '* * * * * *', work: 0 };
    const module = { nodes: `rediss://localhost:${port}` };
    const spec = { name: 'a', logUrl: server.url, module, jobs: [job], logCalls: false };
    const instance = new InstanceProcess(spec, 0);
    onTestFinished(() => instance.kill());
    await instance.ready();
    const client = clientOf(server);
    const happened = async (): Promise<string> => (await client.lrange(LOG_KEY, 0, -1)).join('\n');
    await expect.poll(happened, { timeout: 5000 }).toContain('"is":"start"');
  });

  it('works with the certificate of the authority', async () => {
    const app = await start({ redlock: { nodes: trusting(await tlsPort()) } });
    expect(await app.get(RedlockService).run('report', () => 1)).toMatchObject({ ran: true });
  });
});
