import { setTimeout as pause } from 'node:timers/promises';
import slotOf from 'cluster-key-slot';
import { Cluster, type ClusterOptions } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { systemClock } from '../../src/clock.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { BoundedNode } from '../../src/nodes/bounded-node.js';
import { type Member, placesOf, SLOTS, startCluster, stopCluster } from '../engine/cluster.js';
import { findEngine } from '../engine/redis-server.js';
import { claimOf, LogSpy, newName, nodeOf, rawClient, SETTINGS } from './support.js';

const TTL = 30_000;

describe.skipIf(findEngine().kind === 'embedded')('a Redis Cluster of three masters', () => {
  let members: Member[];
  let cluster: Cluster;
  let node: BoundedNode;
  let log: LogSpy;

  beforeAll(async () => {
    log = new LogSpy();
    members = await startCluster('--cluster-node-timeout', '5000');
    cluster = new Cluster(members.map(({ server: { port } }) => ({ host: '127.0.0.1', port })));
    node = nodeOf(cluster);
    // `ready` comes before the last of the members knows all slots.
    await vi.waitFor(() => node.open(), 5000);
  });
  afterAll(async () => {
    cluster.disconnect();
    await stopCluster(members);
    log.restore();
  });

  it('is named by the addresses that were given for it', () => {
    expect(node.address).toBe(
      `cluster ${members.map(({ server: { port } }) => `127.0.0.1:${port}`).join(', ')}`,
    );
  });

  it('votes on every claim, whatever the name of the job', async () => {
    const names = [
      ...Array.from({ length: 20 }, newName),
      'a}',
      '}{',
      '{}',
      '{tenant-1}:report',
      'report {x}',
      'it\'s "so"\n\0',
      '雪🧶',
      'x'.repeat(10_000),
    ];
    const used = new Set<number>();
    for (const name of names) {
      const claim = fullClaim(name);
      used.add(Math.floor((slotOf(claim.lock) * 3) / SLOTS));
      expect(await node.claim(claim, 'a', TTL)).toEqual({ kind: 'granted' });
      expect(await node.extend(claim, 'a', TTL)).toBe(true);
      expect(await node.claim(claim, 'b', TTL)).toMatchObject({ kind: 'elsewhere', holder: 'a', rank: 1 });
      expect(await node.settle(claim, 'a')).toBe(true);
      expect(await node.claim(claim, 'b', TTL)).toEqual({ kind: 'settled' });
      expect(await node.release(claim, 'b')).toBe(false);
    }
    expect(used.size).toBe(3);
  });

  const OPTIONS: Record<Exclude<keyof ClusterOptions, 'resolveSrv' | 'useSRVRecords'>, readonly unknown[]> = {
    autoPipeliningIgnoredCommands: [['evalsha']],
    clusterNodeRetryStrategy: [() => 10],
    clusterRetryStrategy: [null, () => null],
    dnsLookup: [(host: string, done: (error: null, address: string) => void) => done(null, host)],
    enableAutoPipelining: [true],
    enableOfflineQueue: [true, false],
    enableReadyCheck: [true, false],
    himportFieldsets: [[]],
    keyPrefix: ['{shop}:'],
    lazyConnect: [true, false],
    maxRedirections: [0],
    natMap: [{}, () => null],
    redisOptions: [
      { stringNumbers: true, commandTimeout: 1, socketTimeout: 1, maxRetriesPerRequest: null },
      { enableAutoPipelining: true, monitor: true, scripts: { evalsha: { lua: 'return 1' } }, protocol: 2 },
      { lazyConnect: false, enableReadyCheck: false, replyMapping: 'resp3', connectionName: 'shop' },
    ],
    retryDelayOnClusterDown: [0],
    retryDelayOnFailover: [0],
    retryDelayOnMoved: [1],
    retryDelayOnTryAgain: [1],
    scaleReads: ['slave', 'all', () => undefined],
    scripts: [{ evalsha: { lua: 'return 1', numberOfKeys: 1 } }],
    shardedSubscribers: [true],
    showFriendlyErrorStack: [true],
    slotsRefreshInterval: [100],
    slotsRefreshTimeout: [5000],
  };
  const CASES = Object.entries(OPTIONS).flatMap(([option, values]) =>
    values.map((value) => ({ option, value })),
  );

  it.each(CASES)('votes with $option: $value in the client', async ({ option, value }) => {
    const seeds = members.map(({ server: { port } }) => ({ host: '127.0.0.1', port }));
    const client = new Cluster(seeds, { lazyConnect: true, [option]: value });
    client.on('error', () => {});
    const other = nodeOf(client);
    try {
      await vi.waitFor(() => other.open(), 5000);
      for (const claim of Array.from({ length: 6 }, () => fullClaim(newName()))) {
        expect(await other.claim(claim, 'a', TTL)).toEqual({ kind: 'granted' });
        expect(await other.extend(claim, 'a', TTL)).toBe(true);
        expect(await other.claim(claim, 'b', TTL)).toMatchObject({ kind: 'elsewhere', holder: 'a' });
        expect(await other.settle(claim, 'a')).toBe(true);
      }
    } finally {
      await other.close();
      client.disconnect();
    }
  });

  it('votes on while a slot moves, and knows what was settled before', async () => {
    const name = newName();
    const first = claimOf(name, Date.now() - 60_000);
    const slot = slotOf(first.lock);
    const [from, to] = placesOf(slot, members);
    const acquirer = new Acquirer(createStore([node], systemClock), SETTINGS.nodeTimeout, systemClock);
    const settled: number[] = [];
    const isOver = new AbortController();
    const running = (async () => {
      for (let at = Date.now() - 50_000; !isOver.signal.aborted; at += 100) {
        const answer = await acquirer.acquire(claimOf(name, at), TTL, 0, new AbortController().signal);
        expect(answer).toHaveProperty('validUntil');
        if (answer.kind === 'granted') await answer.settle();
        settled.push(at);
      }
    })();
    await vi.waitFor(() => expect(settled.length).toBeGreaterThan(2));
    await move(slot, from, to);
    const moved = settled.length;
    await vi.waitFor(() => expect(settled.length).toBeGreaterThan(moved + 2), 5000);
    isOver.abort();
    await running;

    const last = settled.at(-1) ?? 0;
    expect(await node.claim(claimOf(name, last), 'b', TTL)).toEqual({ kind: 'settled' });
    expect(await to.client.cluster('COUNTKEYSINSLOT', slot)).toBeGreaterThan(0);
  });

  it('keeps a lock that is held while its slot moves', async () => {
    const claim = claimOf(newName());
    const slot = slotOf(claim.lock);
    const [from, to] = placesOf(slot, members);
    await node.claim(claim, 'a', TTL);
    await move(slot, from, to);
    expect(await node.claim(claim, 'b', TTL)).toMatchObject({ kind: 'overlap', holder: 'a' });
    expect(await node.extend(claim, 'a', TTL)).toBe(true);
    expect(await node.release(claim, 'a')).toBe(true);
  });

  it('votes on the jobs of the other servers while one hangs', async () => {
    const seeds = members.map(({ server: { port } }) => ({ host: '127.0.0.1', port }));
    const client = new Cluster(seeds, { lazyConnect: true });
    const other = nodeOf(client, { nodeTimeout: 300 });
    const [hung, well] = [0, 1].map((index) =>
      Array.from({ length: 100 }, () => claimOf(newName(), Date.now())).filter(
        ({ lock }) => placesOf(slotOf(lock), members)[0] === members[index],
      ),
    ) as [Claim[], Claim[]];
    try {
      await vi.waitFor(() => other.open(), 5000);
      // There is a connection to this server now, and possibly none to another.
      expect(await other.claim(hung.pop() as Claim, 'a', TTL)).toEqual({ kind: 'granted' });
      members[0]?.server.pause();
      for (let count = 0; count < 2; count++) {
        await expect(other.claim(hung.pop() as Claim, 'a', TTL)).rejects.toThrow('no answer');
      }
      for (let count = 0; count < 5; count++) {
        expect(await other.claim(well.pop() as Claim, 'a', TTL)).toEqual({ kind: 'granted' });
      }
    } finally {
      members[0]?.server.resume();
      await other.close();
      client.disconnect();
    }
  });

  it('is given up while it asks for a slot that is moving to a hung server, and the process lives', async () => {
    const name = newName();
    const claim = (): Claim => fullClaim(name);
    const slot = slotOf(claim().lock);
    const [from, to] = placesOf(slot, members);
    const seeds = members
      .filter((one) => one !== to)
      .map(({ server }) => ({ host: '127.0.0.1', port: server.port }));
    const client = new Cluster(seeds, { lazyConnect: true });
    const other = nodeOf(client, { nodeTimeout: 300 });
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      await vi.waitFor(() => other.open(), 5000);
      await startMove(slot, from, to);
      to.server.pause();
      for (let count = 0; count < 8; count++) {
        await expect(other.claim(claim(), 'a', TTL)).rejects.toThrow(
          /no answer|slot of its keys|cannot be reached|closed/,
        );
        await pause(300);
      }
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
      to.server.resume();
      await to.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
      await from.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
      await other.close();
      client.disconnect();
    }
  });

  it('refuses the jobs of a slot that does not finish moving, and votes on the others', async () => {
    const seeds = members.map(({ server: { port } }) => ({ host: '127.0.0.1', port }));
    const client = new Cluster(seeds, { lazyConnect: true });
    const other = nodeOf(client, { nodeTimeout: 500, isAlone: true });
    const name = newName();
    const [from, to] = placesOf(slotOf(fullClaim(name).lock), members);
    const all = [from, to].map((each) => each.client);
    await vi.waitFor(() => other.open(), 5000);
    await startMove(slotOf(fullClaim(name).lock), from, to);
    const before = log.lines.length;
    try {
      for (let count = 0; count < 3; count++) {
        await expect(other.claim(fullClaim(name), 'a', TTL)).rejects.toThrow(
          /slot of its keys is being moved .*--cluster fix$/,
        );
        expect(await other.claim(fullClaim(newName()), 'a', TTL)).toEqual({ kind: 'granted' });
      }
    } finally {
      for (const each of all) await each.call('CLUSTER', 'SETSLOT', slotOf(fullClaim(name).lock), 'STABLE');
    }
    expect(await other.claim(fullClaim(name), 'a', TTL)).toEqual({ kind: 'granted' });
    expect(log.lines.slice(before)).toEqual([
      expect.stringContaining(`cannot grant the lock of "JOB_LOCKER_${name}": the slot`),
      expect.stringContaining(`can grant the lock of "JOB_LOCKER_${name}" again`),
    ]);
    await other.close();
    client.disconnect();
  });

  it('refuses the jobs of a server that executes an endless script, and votes on the others', async () => {
    const seeds = members.map(({ server: { port } }) => ({ host: '127.0.0.1', port }));
    const client = new Cluster(seeds, { lazyConnect: true });
    const other = nodeOf(client, { nodeTimeout: 500, isAlone: true });
    const claim = claimOf(newName(), Date.now());
    const [{ server }] = placesOf(slotOf(claim.lock), members);
    const [raw, killer] = [rawClient(server), rawClient(server)];
    const newClaim = (isBusy: boolean): Claim => {
      for (;;) {
        const made = claimOf(newName(), Date.now());
        if ((placesOf(slotOf(made.lock), members)[0].server === server) === isBusy) return made;
      }
    };
    await vi.waitFor(() => other.open(), 5000);
    expect(await other.claim(newClaim(true), 'a', TTL)).toEqual({ kind: 'granted' });
    await killer.ping();
    await raw.config('SET', 'lua-time-limit', '20');
    const script = raw.eval('while true do end', 0).catch((error: Error) => error.message);
    const before = log.lines.length;
    try {
      await vi.waitFor(() => expect(killer.ping()).rejects.toThrow('BUSY'));
      for (let count = 0; count < 3; count++) {
        await expect(other.claim(claim, 'a', TTL)).rejects.toMatchObject({ scope: 'lock' });
        expect(await other.claim(newClaim(false), 'a', TTL)).toEqual({ kind: 'granted' });
      }
    } finally {
      await killer.script('KILL');
    }
    expect(await script).toContain('killed by user');
    await raw.config('SET', 'lua-time-limit', '5000');
    expect(await other.claim(claim, 'a', TTL)).toEqual({ kind: 'granted' });
    expect(log.lines.slice(before)).toEqual([
      expect.stringMatching(`cannot grant the lock of "${claim.lock}": BUSY`),
      expect.stringContaining(`can grant the lock of "${claim.lock}" again`),
    ]);
    await other.close();
    client.disconnect();
    raw.disconnect();
    killer.disconnect();
  });

  it('stays open when the node is closed', async () => {
    await node.close();
    expect(cluster.status).toBe('ready');
    expect(await cluster.set('key', 'value')).toBe('OK');
  });
});

/** A claim with every key that there can be. */
function fullClaim(name: string): Claim {
  const keys = new JobKeys('JOB_LOCKER', name);
  return {
    ...claimOf(name, Date.now()),
    every: { key: keys.every, keep: TTL },
    loserCounter: { key: keys.losers('every'), keep: TTL },
  };
}

/** Moves a slot with all its keys, as `redis-cli --cluster reshard` does. */
async function move(slot: number, from: Member, to: Member): Promise<void> {
  await startMove(slot, from, to);
  await pause(50);
  for (;;) {
    const keys = await from.client.cluster('GETKEYSINSLOT', slot, 100);
    if (keys.length === 0) break;
    await from.client.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...keys);
  }
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
}

async function startMove(slot: number, from: Member, to: Member): Promise<void> {
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
}
