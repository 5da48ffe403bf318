import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { Sentinel } from '../engine/sentinel.js';
import { claimOf, LogSpy, newName, nodeOf, rawClient, SETTINGS } from './support.js';

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

  it('votes again by itself after its master has died, and logs one line for each change', async () => {
    const node = nodeOf({ sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'jobs' }, SETTINGS);
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
  }, 45_000);
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => assert(await condition()), { timeout: 30_000, interval: 100 });
}
