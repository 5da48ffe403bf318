import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Exclusive, type OnStoreDown, RedlockService } from '../../src/index.js';
import { type RedisServer, startServers } from '../engine/redis-server.js';
import { TcpProxy } from '../nodes/tcp-proxy.js';
import { startFleet } from './application.js';
import { RecordingLogger } from './recording-logger.js';

/** How long a connection may be idle until the network forgets it, in milliseconds: less than the time between two ticks. */
const IDLE_LIMIT = 1500;
const PERIOD = 3000;

const clients: Redis[] = [];
const proxies: TcpProxy[] = [];
let servers: RedisServer[];
beforeAll(async () => void (servers = await startServers(3)));
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await Promise.all(servers.map((server) => server.stop()));
});

/** A network of its own in front of each server. */
async function networks(count: number): Promise<TcpProxy[]> {
  const made = await Promise.all(servers.slice(0, count).map(({ port }) => TcpProxy.to(port)));
  proxies.push(...made);
  return made;
}

const byUrl = ({ port }: TcpProxy): string => `redis://127.0.0.1:${port}`;
function byClient({ port }: TcpProxy): Redis {
  const client = new Redis(port, '127.0.0.1').on('error', () => {});
  clients.push(client);
  return client;
}

@Injectable()
class Jobs {
  readonly ticks: number[] = [];
  constructor(readonly redlock: RedlockService) {}

  @Cron('*/3 * * * * *')
  @Exclusive('daily')
  async daily(): Promise<void> {
    this.ticks.push(this.redlock.current()?.tick?.getTime() ?? 0);
  }
}

/** A client that gives a command up before the module does. */
function byImpatientClient({ port }: TcpProxy): Redis {
  const client = new Redis(port, '127.0.0.1', { commandTimeout: 300 }).on('error', () => {});
  clients.push(client);
  return client;
}

/** A fleet whose connections are forgotten between any two ticks. */
class Outcome {
  ticks: number[] = [];
  readonly reasons = new Set<string>();
  readonly logger = new RecordingLogger();
  connections = 0;

  constructor(
    readonly what: string,
    private readonly nodeCount: number,
    private readonly nodeOf: (proxy: TcpProxy) => string | Redis,
    private readonly onStoreDown: OnStoreDown,
  ) {}

  async make(): Promise<void> {
    const made = await networks(this.nodeCount);
    for (const proxy of made) proxy.idleLimit = IDLE_LIMIT;
    const { onStoreDown, logger } = this;
    const redlock = { nodes: made.map(this.nodeOf), onStoreDown, keyPrefix: this.what };
    const apps = await startFleet(3, { redlock, providers: [Jobs], logger });
    for (const app of apps) app.get(RedlockService).on('skipped', ({ reason }) => this.reasons.add(reason));
    await pause(PERIOD - (Date.now() % PERIOD) + 3 * PERIOD + 1500);
    this.ticks = apps.flatMap((app) => app.get(Jobs).ticks).toSorted((a, b) => a - b);
    this.connections = Math.max(...made.map(({ connections }) => connections));
  }
}

const outcomes = [
  new Outcome('one node', 1, byUrl, 'skip'),
  new Outcome('three nodes', 3, byUrl, 'skip'),
  new Outcome('one node, as a client of the application', 1, byClient, 'skip'),
  new Outcome('three nodes, as clients of the application', 3, byClient, 'skip'),
  new Outcome('one node, as a client with a commandTimeout', 1, byImpatientClient, 'skip'),
  new Outcome('one node, with onStoreDown: run', 1, byUrl, 'run'),
  new Outcome('three nodes, with onStoreDown: run', 3, byUrl, 'run'),
];

describe('a network that forgets idle connections without a word', () => {
  // All at the same time, as most of it is waiting for ticks.
  beforeAll(() => Promise.all(outcomes.map((outcome) => outcome.make())));

  it.each(outcomes)('costs no tick, and repeats none: $what', ({ ticks, reasons, logger, connections }) => {
    const first = ticks[0] ?? 0;
    expect(ticks).toEqual(ticks.map((_tick, index) => first + index * PERIOD));
    expect(ticks.length).toBeGreaterThanOrEqual(4);
    expect([...reasons].filter((reason) => reason !== 'elsewhere' && reason !== 'settled')).toEqual([]);
    // Nothing was lost, so there is nothing to say.
    expect(logger.at('warn')).toEqual([]);
    // It did forget some.
    expect(connections).toBeGreaterThan(3);
  });

  it(
    'is noticed between two ticks, so that a lock that is asked for later is had at once',
    { timeout: 40_000 },
    async () => {
      const [proxy] = await networks(1);
      const [app] = await startFleet(1, { redlock: { nodes: byUrl(proxy!) } });
      const before = proxy!.connections;
      proxy!.forget();
      await expect.poll(() => proxy!.connections, { timeout: 15_000 }).toBeGreaterThan(before);
      await pause(200);
      const asked = performance.now();
      const lock = await app!.get(RedlockService).lock('report');
      expect(lock).not.toBeNull();
      expect(performance.now() - asked).toBeLessThan(400);
      await lock?.release();
    },
  );
});

describe('a claim that is under way when the forgotten connections are replaced', () => {
  it.each([1, 3])('gets its lock, with nodes: %i', { timeout: 40_000 }, async (count) => {
    const between = await networks(count);
    const [app] = await startFleet(1, {
      redlock: { nodes: between.map(byUrl), keyPrefix: `under-way-${count}` },
    });
    const redlock = app!.get(RedlockService);
    // The connections are replaced half a second after a command on them got no answer.
    for (const early of [450, 350, 250, 150, 50]) {
      for (const proxy of between) proxy.forget();
      const read = redlock.status('report').catch(() => {});
      await pause(early);
      expect(await redlock.run('report', () => {})).toMatchObject({ ran: true });
      await read;
    }
  });
});

it('a server that was slow for a moment costs no tick after that', { timeout: 40_000 }, async () => {
  const [proxy] = await networks(1);
  const [app] = await startFleet(1, { redlock: { nodes: byUrl(proxy!), keyPrefix: 'slow' } });
  const redlock = app!.get(RedlockService);
  expect(await redlock.run('report', () => 1)).toMatchObject({ ran: true });
  proxy!.delay = 400;
  await redlock.run('report', () => 1);
  await pause(1000);
  proxy!.delay = 0;
  await pause(1000);
  for (let times = 0; times < 3; times++) {
    expect(await redlock.run('report', () => 1)).toMatchObject({ ran: true });
  }
});

describe('an idle connection', () => {
  it('is used every ten seconds, by two small commands at most', { timeout: 40_000 }, async () => {
    const [server] = servers;
    const client = new Redis(server!.url);
    clients.push(client);
    await startFleet(1, { redlock: { nodes: server!.url, keyPrefix: 'idle' } });
    await expect.poll(() => client.exists('{idle_}:fleet:ends')).toBe(1);
    await client.config('RESETSTAT');
    await pause(12_000);
    const stats = await client.info('commandstats');
    const calls = (command: string): number =>
      Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    // The instance renews its entry in the register.
    expect(calls('evalsha')).toBeGreaterThanOrEqual(1);
    expect(calls('evalsha')).toBeLessThanOrEqual(2);
    // That script asks for the time, too.
    expect(calls('time') - calls('evalsha')).toBeGreaterThanOrEqual(0);
    expect(calls('time') - calls('evalsha')).toBeLessThanOrEqual(2);
    // Neither the script nor the entry is sent again.
    expect(calls('eval')).toBe(0);
    expect(calls('hset')).toBe(0);
  });
});
