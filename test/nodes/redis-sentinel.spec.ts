import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findEngine, freePort, RedisServer } from '../engine/redis-server.js';
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

/** A Sentinel of its own for one master: a process that ends with this one. */
class Sentinel {
  private constructor(
    readonly port: number,
    private readonly end: () => Promise<void>,
    private readonly client: Redis,
  ) {}

  static async watching(master: RedisServer): Promise<Sentinel> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'sentinel-'));
    const file = join(folder, 'sentinel.conf');
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor jobs 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds jobs 500',
      'sentinel failover-timeout jobs 5000',
    ];
    writeFileSync(file, lines.join('\n'));
    const [program] = findEngine().command(port, []);
    // The shell reads a pipe that closes when this process ends, however that comes about.
    const script = '"$1" "$2" --sentinel & server=$!; read -r line; kill -9 "$server"; rm -rf "$3"';
    const shell = spawn('sh', ['-c', script, 'sentinel', program, file, folder], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(shell, 'exit');
    const client = rawClient({ port });
    await client.ping();
    const end = async (): Promise<void> => {
      client.disconnect();
      shell.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    };
    return new Sentinel(port, end, client);
  }

  async replicas(): Promise<number> {
    return ((await this.client.call('SENTINEL', 'REPLICAS', 'jobs')) as unknown[]).length;
  }

  stop(): Promise<void> {
    return this.end();
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => assert(await condition()), { timeout: 30_000, interval: 100 });
}
