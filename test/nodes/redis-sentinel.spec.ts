import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { Sentinel } from '../engine/sentinel.js';
import { claimOf, LogSpy, newName, nodeOf, rawClient, SETTINGS } from './support.js';
import { TcpProxy } from './tcp-proxy.js';

const TTL = 30_000;

describe.skipIf(findEngine().kind === 'embedded')('a Sentinel group', () => {
  let master: RedisServer;
  let replica: RedisServer;
  let sentinel: Sentinel;
  let log: LogSpy;
  let replicaClient: Redis;

  beforeAll(async () => {
    log = new LogSpy();
    master = await RedisServer.start();
    replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', `${master.port}`] });
    replicaClient = rawClient(replica);
    sentinel = await Sentinel.watching(master);
    await until(async () => (await replicaClient.info('replication')).includes('master_link_status:up'));
    // Without a replica that it knows, there is nobody to take over.
    await until(async () => (await sentinel.replicas()) === 1);
  });
  afterAll(async () => {
    replicaClient.disconnect();
    await sentinel.stop();
    await Promise.all([master.stop(), replica.stop()]);
    log.restore();
  });

  it('costs the process nothing if a Sentinel no longer tells it of failovers', async () => {
    const acl = (...rules: string[]): Promise<unknown> =>
      sentinel.client.call('ACL', 'SETUSER', 'watcher', ...rules);
    const clients = (): Promise<unknown> => sentinel.client.call('CLIENT', 'LIST');
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    await acl('on', '>hidden', '+@all', '&*');
    const node = nodeOf({
      sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
      name: 'jobs',
      sentinelUsername: 'watcher',
      sentinelPassword: 'hidden',
      sentinelReconnectStrategy: () => 20,
    });
    await node.open();
    await vi.waitFor(async () => expect(await clients()).toContain(' sub=1 '));
    await acl('-subscribe');
    await sentinel.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await vi.waitFor(async () => expect(await sentinel.client.call('ACL', 'LOG')).toHaveLength(1));
    await node.close();
    expect(unhandled).toEqual([]);
  });

  it('tells of failovers over one connection, however often the one to the master is replaced', async () => {
    const proxy = await TcpProxy.to(master.port);
    const node = nodeOf(
      {
        sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
        name: 'jobs',
        natMap: { [`127.0.0.1:${master.port}`]: { host: '127.0.0.1', port: proxy.port } },
      },
      { nodeTimeout: 200 },
    );
    await node.open();
    for (let count = 0; count < 4; count++) {
      proxy.swallow = count % 2 === 0 ? 'replies' : 'nothing';
      await node.claim(claimOf(newName()), 'a', TTL).catch(() => {});
      await pause(500);
      proxy.cut();
    }
    proxy.swallow = 'nothing';
    await vi.waitFor(() => node.claim(claimOf(newName()), 'a', TTL), 5000);
    const subscribers = async (): Promise<number> =>
      String(await sentinel.client.call('CLIENT', 'LIST')).split(' sub=1 ').length - 1;
    await vi.waitFor(async () => expect(await subscribers()).toBe(1));
    await node.close();
    await vi.waitFor(async () => expect(await subscribers()).toBe(0));
    await proxy.close();
    log.lines.length = 0;
  });

  it('votes again by itself after its master has died, and logs one line for each change', async () => {
    const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
    const node = nodeOf({ sentinels, name: 'jobs', failoverDetector: false }, SETTINGS);
    expect(node.address).toBe(`sentinel jobs (127.0.0.1:${sentinel.port})`);
    expect((await node.open()).unfit).toBeUndefined();
    const run = claimOf(newName(), Date.now());
    expect(await node.claim(run, 'a', TTL)).toEqual({ kind: 'granted' });
    expect(await node.settle(run, 'a')).toBe(true);
    // What the replica has not got yet is lost: that is the limit of Sentinel.
    await vi.waitFor(async () => expect(await replicaClient.exists(run.tick?.last ?? '')).toBe(1), 5000);

    await master.kill();
    await vi.waitFor(async () => expect(await node.claim(run, 'b', TTL)).toEqual({ kind: 'settled' }), {
      timeout: 20_000,
      interval: 50,
    });
    const next = claimOf(newName(), Date.now());
    await vi.waitFor(async () => expect(await node.claim(next, 'b', TTL)).toEqual({ kind: 'granted' }), {
      timeout: 10_000,
      interval: 50,
    });
    await node.close();
    expect(await replicaClient.get(next.lock)).toBe('b');
    expect(log.lines.map((line) => line.split(' ')[0])).toEqual(['warn:', 'log:']);
    for (const line of log.lines) expect(line).toContain(node.address);
    expect(log.lines[0]).not.toMatch(/sentinels are unreachable|no Sentinel/);
  }, 45_000);
});

describe.skipIf(findEngine().kind === 'embedded')('a Sentinel group whose Sentinel cannot be reached', () => {
  it('votes again over its connection after the master was slow', async () => {
    const { master, proxy, node } = await startBehindProxy();
    const client = rawClient(master);
    onTestFinished(() => client.disconnect());
    await node.open();
    proxy.refuses = true;
    await client.client('PAUSE', 60_000, 'WRITE');
    for (let count = 0; count < 2; count++) {
      await expect(node.claim(claimOf(newName()), 'a', TTL)).rejects.toThrow('sentinel jobs');
    }
    await client.client('UNPAUSE');
    await vi.waitFor(() => node.claim(claimOf(newName()), 'a', TTL), 3000);
  });

  it('is said to vote again as soon as it is connected, without a claim', async () => {
    const { log, proxy, node } = await startBehindProxy();
    proxy.refuses = true;
    await expect(node.open()).rejects.toThrow('no Sentinel can be reached');
    const key = { ends: '{fleet}:ends', entries: '{fleet}:entries' };
    await expect(node.register(key, 'a', TTL, 'entry')).rejects.toThrow('no Sentinel can be reached');
    proxy.refuses = false;
    await vi.waitFor(() => expect(log.lines.at(-1)).toMatch(/^log: .* votes again/), 5000);
    expect(log.lines).toHaveLength(2);
  });
});

describe.skipIf(findEngine().kind === 'embedded')('a Sentinel group of three Sentinels', () => {
  it('is left by the clients of a master that the Sentinels have replaced, although it still answers', async () => {
    const { master, replica, sentinels, nodes } = await startGroup();
    const client = rawClient(master);
    onTestFinished(() => client.disconnect());
    for (const each of [client, rawClient(replica)]) {
      await each.call('ACL', 'SETUSER', 'jobs', 'on', '>secret', '~*', '+@all');
    }
    const node = nodeOf({ ...nodes, username: 'jobs', password: 'secret' });
    onTestFinished(() => node.close());
    await node.open();
    // The Sentinels are another user.
    await client.call('ACL', 'SETUSER', 'default', '-@all', '+auth');
    await until(async () =>
      (await Promise.all(sentinels.map(masterOf))).every((port) => port === replica.port),
    );
    const asked = rawClient(replica);
    onTestFinished(() => asked.disconnect());
    await vi.waitFor(async () => {
      const claim = claimOf(newName(), Date.now());
      await node.claim(claim, 'a', TTL);
      expect(await asked.get(claim.lock)).toBe('a');
    }, 3000);
  }, 45_000);

  it('is found at once by an idle instance whose master hangs', async () => {
    const { master, replica, sentinels, nodes } = await startGroup();
    const node = nodeOf(nodes);
    onTestFinished(() => node.close());
    await node.open();
    master.pause();
    onTestFinished(() => master.resume());
    await until(async () => (await masterOf(sentinels[0]!)) === replica.port);
    const asked = performance.now();
    await vi.waitFor(() => node.claim(claimOf(newName()), 'a', TTL), { timeout: 10_000, interval: 20 });
    // ioredis would wait for two seconds for the old master to close the connection.
    expect(performance.now() - asked).toBeLessThan(1900);
  }, 45_000);

  it('is found again if the news of a failover comes while a Sentinel that hangs is asked', async () => {
    const { master, replica, sentinels, nodes } = await startGroup();
    const node = nodeOf(nodes);
    onTestFinished(() => node.close());
    await node.open();
    const [first, second, third] = sentinels as [Sentinel, Sentinel, Sentinel];
    // Most of the time, an attempt to connect waits for one of them. The third cannot fail over without being told to.
    first.pause();
    second.pause();
    await master.kill();
    await third.client.call('SENTINEL', 'FAILOVER', 'jobs');
    await until(async () => (await masterOf(third)) === replica.port);
    await vi.waitFor(
      async () => expect(await node.claim(claimOf(newName()), 'a', TTL)).toEqual({ kind: 'granted' }),
      { timeout: 10_000, interval: 50 },
    );
  }, 45_000);
});

describe.skipIf(findEngine().kind === 'embedded')('a Sentinel that an instance listens to', () => {
  const servers = {} as { master: RedisServer; asked: Sentinel; away: Sentinel };
  const nodes = (away: { port: number }): RedisOptions => ({
    sentinels: [servers.asked, away].map(({ port }) => ({ host: '127.0.0.1', port })),
    name: 'jobs',
    // They would also be reached without the proxy.
    updateSentinels: false,
  });
  const listeners = async (): Promise<number> =>
    String(await servers.away.client.call('CLIENT', 'LIST')).split(' sub=1 ').length - 1;

  beforeAll(async () => {
    const master = await RedisServer.start();
    const [asked, away] = await Promise.all([Sentinel.watching(master), Sentinel.watching(master)]);
    Object.assign(servers, { master, asked, away });
  });
  afterAll(async () => {
    await Promise.all([servers.asked.stop(), servers.away.stop()]);
    await servers.master.stop();
  });

  it.each([
    ['options', (options: RedisOptions) => options],
    ['a client', (options: RedisOptions) => new Redis({ ...options, lazyConnect: true })],
  ])('is listened to again within seconds after it has closed the connection of %s', async (_, how) => {
    const node = nodeOf(how(nodes(servers.away)));
    onTestFinished(() => node.close());
    await node.open();
    await until(async () => (await listeners()) === 1);
    await servers.away.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    expect(await listeners()).toBe(0);
    await vi.waitFor(async () => expect(await listeners()).toBe(1), 10_000);
  });

  it('is connected to again as a client of the application says', async () => {
    const sentinelReconnectStrategy = vi.fn<() => number>(() => 20);
    const client = new Redis({ ...nodes(servers.away), lazyConnect: true, sentinelReconnectStrategy });
    const node = nodeOf(client);
    onTestFinished(() => node.close());
    await node.open();
    await until(async () => (await listeners()) === 1);
    await servers.away.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await vi.waitFor(() => expect(sentinelReconnectStrategy).toHaveBeenCalled());
  });

  it.each([
    ['cannot be reached', (proxy: TcpProxy) => (proxy.refuses = true)],
    ['does not answer', (proxy: TcpProxy) => (proxy.swallow = 'everything')],
  ])('is listened to at last, although for a long time it %s', async (_, takeAway) => {
    const proxy = await TcpProxy.to(servers.away.port);
    onTestFinished(() => proxy.close());
    takeAway(proxy);
    let attempts = 0;
    const node = nodeOf({
      ...nodes(proxy),
      sentinelCommandTimeout: 100,
      sentinelReconnectStrategy: (attempt) => {
        attempts = attempt;
        return 20;
      },
    });
    onTestFinished(() => node.close());
    await node.open();
    // ioredis keeps a command for 20 attempts.
    await vi.waitFor(() => expect(attempts).toBeGreaterThan(21), 20_000);
    proxy.refuses = false;
    proxy.swallow = 'nothing';
    await vi.waitFor(async () => expect(await listeners()).toBe(1), 5000);
  });
});

/** A node of a Sentinel group, and a proxy in front of the only Sentinel. */
async function startBehindProxy() {
  const log = new LogSpy();
  onTestFinished(() => log.restore());
  const master = await RedisServer.start();
  onTestFinished(() => master.stop());
  const sentinel = await Sentinel.watching(master);
  onTestFinished(() => sentinel.stop());
  const proxy = await TcpProxy.to(sentinel.port);
  onTestFinished(() => proxy.close());
  const node = nodeOf(
    { sentinels: [{ host: '127.0.0.1', port: proxy.port }], name: 'jobs', updateSentinels: false },
    { nodeTimeout: 300 },
  );
  onTestFinished(() => node.close());
  return { log, master, proxy, node };
}

/** A master, a replica, and three Sentinels that know each other. */
async function startGroup(): Promise<{
  master: RedisServer;
  replica: RedisServer;
  sentinels: Sentinel[];
  nodes: RedisOptions;
}> {
  const master = await RedisServer.start();
  onTestFinished(() => master.stop());
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', `${master.port}`] });
  onTestFinished(() => replica.stop());
  const sentinels = await Promise.all([0, 1, 2].map(() => Sentinel.watching(master)));
  for (const sentinel of sentinels) onTestFinished(() => sentinel.stop());
  await until(async () => (await Promise.all(sentinels.map(knowsGroup))).every(Boolean));
  const places = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  return { master, replica, sentinels, nodes: { sentinels: places, name: 'jobs' } };
}

async function knowsGroup(sentinel: Sentinel): Promise<boolean> {
  const others = (await sentinel.client.call('SENTINEL', 'SENTINELS', 'jobs')) as unknown[];
  return others.length === 2 && (await sentinel.replicas()) === 1;
}

async function masterOf({ client }: Sentinel): Promise<number> {
  const [, port] = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'jobs')) as string[];
  return Number(port);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => assert(await condition()), { timeout: 30_000, interval: 100 });
}
