import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { systemClock } from '../../src/clock.js';
import type { LockNode } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { Grant } from '../../src/acquire/outcome.js';
import type { BoundedNode } from '../../src/nodes/bounded-node.js';
import { type RedisServer, startServers } from '../engine/redis-server.js';
import {
  callsOf,
  claimOf,
  keysOf,
  LogSpy,
  newName,
  openNodes,
  rawClient,
  SETTINGS,
  timed,
} from '../nodes/support.js';
import { TcpProxy } from '../nodes/tcp-proxy.js';

const TTL = 30_000;
/** What a busy machine may add to a duration, in milliseconds. */
const BUSY = 700;

let log: LogSpy;
beforeAll(() => void (log = new LogSpy()));
afterAll(() => log.restore());

describe('on five Redis servers', () => {
  let servers: RedisServer[];
  let nodes: BoundedNode[];
  let clients: Redis[];
  let name: string;

  beforeAll(async () => {
    servers = await startServers(5);
    clients = servers.map(rawClient);
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  });
  beforeEach(async () => {
    name = newName();
    nodes = await openNodes(servers);
  });
  afterEach(() => Promise.all(nodes.map((node) => node.close())));

  it.each([2, 4])('an even split of %i neither hangs nor grants, and is given back whole', async (count) => {
    const claim = claimOf(name);
    const half = clients.slice(0, count / 2);
    await Promise.all(half.map((client) => client.set(claim.lock, 'somebody', 'PX', TTL)));

    const { answer, took } = await timed(createStore(nodes.slice(0, count), systemClock).vote(claim, TTL));
    expect(answer).toMatchObject({ kind: 'split' });
    expect(took).toBeLessThan(SETTINGS.nodeTimeout);
    await vi.waitFor(async () => expect(await holders(claim.lock)).toEqual(half.map(() => 'somebody')));
  });

  it('a split vote leaves nothing behind on the nodes that granted', async () => {
    const claim = {
      ...claimOf(name, Date.now()),
      every: { key: `{JOB_LOCKER_${name}}:every`, keep: TTL },
    };
    for (const [index, client] of clients.slice(0, 3).entries()) {
      await client.set(claim.lock, `somebody-${index}`, 'PX', TTL);
    }
    expect(await createStore(nodes, systemClock).vote(claim, TTL)).toMatchObject({ kind: 'split' });
    await vi.waitFor(async () => {
      for (const client of clients.slice(3)) expect(await keysOf(client, name)).toEqual([]);
    });
  });

  it('partial locks of different contenders are a split vote, which is settled when they end', async () => {
    const claim = claimOf(name);
    for (const [index, client] of clients.slice(0, 4).entries()) {
      await client.set(claim.lock, `somebody-${index % 2}`, 'PX', 600);
    }
    const answer = await acquirer(nodes).acquire(claim, TTL, 0, new AbortController().signal);
    expect(answer).toHaveProperty('validUntil');
  });

  it('a node that refused is not asked to give back what it never granted', async () => {
    // A claim of a tick, which is a script: the calls of those can be counted.
    const claim = claimOf(name, Date.now());
    const [first, ...rest] = clients;
    // Every script is known to the servers, so that each call is one `evalsha`.
    for (const node of nodes) {
      const warm = claimOf(newName(), Date.now());
      await node.claim(warm, 'a', TTL);
      await node.release(warm, 'a');
    }
    await Promise.all(rest.map((client) => client.set(claim.lock, 'somebody', 'PX', TTL)));
    const before = await Promise.all(clients.map(scriptsOf));

    expect(await createStore(nodes, systemClock).vote(claim, TTL)).toMatchObject({
      kind: 'denied',
      reason: 'overlap',
    });
    // The one that granted is asked twice.
    await vi.waitFor(async () => expect(first && (await scriptsOf(first))).toBe((before[0] ?? 0) + 2));
    expect(await Promise.all(rest.map(scriptsOf))).toEqual(before.slice(1).map((calls) => calls + 1));
  });

  it('a node that joined at an extension is given back too', async () => {
    const claim = claimOf(name);
    await clients[4]?.set(claim.lock, 'somebody', 'PX', 300);
    const grant = granted(await createStore(nodes, systemClock).vote(claim, TTL));
    await pause(350);
    await grant.extend(TTL);
    await vi.waitFor(async () => expect(new Set(await holders(claim.lock)).size).toBe(1));
    expect(await clients[4]?.get(claim.lock)).not.toBeNull();
    await grant.release();
    await vi.waitFor(async () => expect(await holders(claim.lock)).toEqual([]));
  });

  it('a lock outlives a wall clock that is set forward by an hour, or back', async () => {
    for (const step of [3_600_000, -3_600_000]) {
      const grant = granted(await createStore(nodes, systemClock).vote(claimOf(`${name}${step}`), TTL));
      const real = Date.now;
      vi.spyOn(Date, 'now').mockImplementation(() => real() + step);
      try {
        const asked = performance.now();
        const until = await grant.extend(TTL);
        expect(until).toBeGreaterThan(asked + TTL * 0.9);
        expect(until).toBeLessThanOrEqual(performance.now() + TTL);
        expect(grant.validUntil).toBe(until);
        await grant.settle();
      } finally {
        vi.restoreAllMocks();
      }
    }
  });

  it('a lock that is granted too late is no grant, and leaves nothing behind', async () => {
    const proxies = await Promise.all(servers.map(({ port }) => TcpProxy.to(port)));
    const slow = await openNodes(proxies, { nodeTimeout: 5000 });
    for (const proxy of proxies) proxy.delay = 400;
    const answer = await createStore(slow, systemClock).vote(claimOf(name), 500);
    expect(answer).toMatchObject({ kind: 'split' });
    await vi.waitFor(async () => expect(await holders(claimOf(name).lock)).toEqual([]), 3000);
    await Promise.all(slow.map((node) => node.close()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });

  it.each([
    ['at the same millisecond', 100, true],
    ['who all ask every node', 20, false],
  ])(
    '30 contenders %s share %i ticks of each of 3 jobs, and each tick has one winner',
    { timeout: 120_000 },
    async (_contest, ticks, isRanked) => {
      const contenders = await Promise.all(
        Array.from({ length: 30 }, () => openNodes(servers, { nodeTimeout: 10_000 })),
      );
      const claimants = contenders.map((own) => acquirer(own, 10_000));
      const jobs = [0, 1, 2].map((job) => `${name}-${job}`);
      const winners = await Promise.all(jobs.map((job) => contest(claimants, job, ticks, isRanked)));
      await Promise.all(contenders.flat().map((node) => node.close()));
      const each = Array.from({ length: ticks }, (_, tick) => tick);
      expect(winners).toEqual(jobs.map(() => each));
    },
  );

  describe('of which some fail', () => {
    afterEach(async () => {
      for (const server of servers) server.resume();
      await Promise.all(servers.map((server) => server.restart()));
    });

    it('two that are killed do not keep the others from granting at once', async () => {
      await Promise.all(servers.slice(0, 2).map((server) => server.kill()));
      const { answer, took } = await timed(createStore(nodes, systemClock).vote(claimOf(name), TTL));
      await granted(answer).settle();
      expect(took).toBeLessThan(SETTINGS.nodeTimeout);
    });

    it('two that hang do not keep the others from granting at once', async () => {
      for (const server of servers.slice(0, 2)) server.pause();
      const { answer, took } = await timed(createStore(nodes, systemClock).vote(claimOf(name), TTL));
      expect(took).toBeLessThan(SETTINGS.nodeTimeout);
      const extension = await timed(granted(answer).extend(TTL));
      expect(extension.took).toBeLessThan(SETTINGS.nodeTimeout);
      const settlement = await timed(granted(answer).settle());
      expect(settlement.took).toBeLessThan(SETTINGS.nodeTimeout);
    });

    it('two that hang and one that is killed are a store that is down, in time, by their names', async () => {
      for (const server of servers.slice(0, 2)) server.pause();
      await servers[2]?.kill();
      const { answer, took } = await timed(
        acquirer(nodes).acquire(claimOf(name), TTL, 0, new AbortController().signal),
      );
      // Those that are silent are asked again over a new connection, for as long again.
      expect(took).toBeLessThan(2 * SETTINGS.nodeTimeout + BUSY);
      expect(answer).toMatchObject({ reason: 'store-down' });
      expect('causes' in answer && addressesOf(answer.causes)).toEqual(
        servers
          .slice(0, 3)
          .map(({ port }) => `127.0.0.1:${port}`)
          .toSorted(),
      );
    });

    it('three that are killed are a store that is down, and nothing is left on the other two', async () => {
      await Promise.all(servers.slice(0, 3).map((server) => server.kill()));
      const { answer, took } = await timed(
        acquirer(nodes).acquire(claimOf(name), TTL, 0, new AbortController().signal),
      );
      expect(took).toBeLessThan(SETTINGS.nodeTimeout + BUSY);
      expect(answer).toMatchObject({ reason: 'store-down' });
      await vi.waitFor(async () => {
        for (const client of clients.slice(3)) expect(await keysOf(client, name)).toEqual([]);
      });
    });

    it('a node that hung while the claim was granted knows the settled tick once it goes on', async () => {
      servers[0]?.pause();
      const claim = claimOf(name, Date.now());
      const grant = granted(await createStore(nodes, systemClock).vote(claim, TTL));
      await grant.settle();
      await pause(SETTINGS.nodeTimeout);
      servers[0]?.resume();
      await vi.waitFor(
        async () => expect(await clients[0]?.get(claim.tick?.last ?? '')).toBe(String(claim.tick?.at)),
        5000,
      );
      expect(await clients[0]?.get(claim.lock)).toBeNull();
    });
  });

  async function holders(lock: string): Promise<string[]> {
    const values = await Promise.all(clients.map((client) => client.get(lock)));
    return values.filter((value) => value !== null);
  }
});

it('a claim is forgotten when it has been given back, or is left to end with its lease', async () => {
  const store = createStore([new MemoryNode(), new MemoryNode(), new MemoryNode()], systemClock);
  const used = async (how: 'release' | 'extend'): Promise<WeakRef<Grant>> => {
    const grant = granted(await store.vote(claimOf(newName()), TTL));
    await (how === 'release' ? grant.release() : grant.extend(TTL));
    return new WeakRef(grant);
  };
  const grants: WeakRef<Grant>[] = [];
  while (grants.length < 10) grants.push(await used('release'), await used('extend'));
  await expect
    .poll(() => {
      collectGarbage();
      return grants.filter((grant) => grant.deref()).length;
    })
    .toBeLessThanOrEqual(1);
  await store.vote(claimOf(newName()), TTL);
});

function granted(answer: Grant | object): Grant {
  expect(answer).toHaveProperty('validUntil');
  return answer as Grant;
}

/** Has all claimants claim each tick of a job at once, and gives the ticks in the order in which they were won. */
async function contest(
  claimants: readonly Acquirer[],
  job: string,
  ticks: number,
  isRanked: boolean,
): Promise<number[]> {
  const begin = Date.now() - 400_000;
  const won: number[] = [];
  for (let tick = 0; tick < ticks; tick++) {
    const at = begin + tick * 1000;
    const loserCounter = isRanked ? { key: `{JOB_LOCKER_${job}}:losers:${at}`, keep: 10_000 } : undefined;
    const claim = { ...claimOf(job, at), loserCounter };
    await Promise.all(
      claimants.map(async (contender) => {
        const answer = await contender.acquire(claim, TTL, 0, new AbortController().signal);
        if (answer.kind === 'denied') return;
        won.push(tick);
        await answer.settle();
      }),
    );
  }
  return won;
}

function acquirer(nodes: readonly LockNode[], nodeTimeout = SETTINGS.nodeTimeout): Acquirer {
  return new Acquirer(createStore(nodes, systemClock), nodeTimeout, systemClock);
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}

/** How many scripts a server has been asked to run. */
async function scriptsOf(client: Redis): Promise<number> {
  const calls = await callsOf(client);
  return (calls.get('evalsha') ?? 0) + (calls.get('eval') ?? 0);
}

function addressesOf(causes: readonly Error[]): string[] {
  return causes.map((cause) => /^Node (\S+):/.exec(cause.message)?.[1] ?? cause.message).toSorted();
}
