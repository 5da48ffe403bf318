import { setTimeout as pause } from 'node:timers/promises';
import slotOf from 'cluster-key-slot';
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { Denial, Grant } from '../../src/acquire/outcome.js';
import { systemClock } from '../../src/clock.js';
import type { BoundedNode } from '../../src/nodes/bounded-node.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { type Member, placesOf, startCluster, stopCluster } from '../engine/cluster.js';
import { findEngine } from '../engine/redis-server.js';
import { claimOf, LogSpy, newName, nodeOf, timed } from './support.js';
import { TcpProxy } from './tcp-proxy.js';

const TTL = 30_000;
const NODE_TIMEOUT = 500;

/** The connections for commands to these servers. */
async function connectionsTo(servers: readonly Member[]): Promise<string[][]> {
  const lists = await Promise.all(servers.map(({ client }) => client.client('LIST')));
  return lists.map((list) =>
    [...String(list).matchAll(/^id=(\d+) .* name=test /gm)].map(([, id = '']) => id),
  );
}

describe.skipIf(findEngine().kind === 'embedded')('a silent server of a Cluster', () => {
  let members: Member[];
  let proxies: TcpProxy[];
  let node: BoundedNode;
  let acquirer: Acquirer;
  let log: LogSpy;

  beforeAll(async () => {
    // No replica, and no server is declared dead.
    members = await startCluster('--cluster-node-timeout', '60000');
    proxies = await Promise.all(members.map(({ server }) => TcpProxy.to(server.port)));
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await stopCluster(members);
  });
  beforeEach(async () => {
    log = new LogSpy();
    node = await opened();
    acquirer = new Acquirer(createStore([node], systemClock), NODE_TIMEOUT, systemClock);
  });
  afterEach(() => log.restore());

  /** A node that has a connection to each server. */
  async function opened(): Promise<BoundedNode> {
    const seeds = proxies.map(({ port }) => ({ host: '127.0.0.1', port }));
    const natMap = Object.fromEntries(
      members.map(({ server }, index) => [`127.0.0.1:${server.port}`, seeds[index]!]),
    );
    const opening = nodeOf(new Cluster(seeds, { lazyConnect: true, natMap }), {
      nodeTimeout: NODE_TIMEOUT,
      isAlone: true,
    });
    onTestFinished(() => opening.close());
    await vi.waitFor(() => opening.open(), 5000);
    for (const member of members) await opening.claim(newClaim(member), 'a', TTL);
    return opening;
  }

  /** The claim of a tick of a new job whose slot this server has. */
  function newClaim(member: Member): Claim {
    for (;;) {
      const claim = claimOf(newName(), Date.now());
      if (placesOf(slotOf(claim.lock), members)[0] === member) return claim;
    }
  }

  function acquire(claim: Claim): Promise<Grant | Denial> {
    return acquirer.acquire(claim, TTL, 0, new AbortController().signal, { untilNext: 2000 });
  }

  it('that hangs costs neither ticks of jobs on the others nor connections to them', async () => {
    const [hung, well, other] = members as [Member, Member, Member];
    const connections = await connectionsTo([well, other]);
    const lasting = newClaim(hung);
    hung.server.pause();
    const inspections = Promise.allSettled(Array.from({ length: 20 }, () => node.open()));
    try {
      for (let tick = 0; tick < 4; tick++) {
        const claims = [hung, well].map((member) => Array.from({ length: 40 }, () => newClaim(member)));
        const silent = Promise.all([lasting, ...claims[0]!].map(acquire));
        const { answer, took } = await timed(Promise.all(claims[1]!.map(acquire)));
        expect(answer.filter(({ kind }) => kind !== 'granted')).toEqual([]);
        expect(took).toBeLessThan(NODE_TIMEOUT);
        for (const denial of await silent) expect(denial).toMatchObject({ reason: 'store-down' });
      }
    } finally {
      hung.server.resume();
    }
    expect(await connectionsTo([well, other])).toEqual(connections);
    await vi.waitFor(
      async () => expect(await acquire(newClaim(hung))).toMatchObject({ kind: 'granted' }),
      5000,
    );
    const unanswered = (await inspections).filter(({ status }) => status === 'rejected');
    expect(unanswered.length).toBeGreaterThan(0);
    for (const each of unanswered) expect(each).toMatchObject({ reason: { scope: 'lock' } });
    expect(log.lines).toContainEqual(
      expect.stringMatching(`Redis Cluster .* cannot grant the lock of "${lasting.lock}": no answer within`),
    );
    expect(log.lines).not.toContainEqual(expect.stringContaining('is unavailable'));
  });

  it('whose connection the network has dropped gets a new one in time for the claim', async () => {
    const connections = await connectionsTo(members.slice(1));
    proxies[0]!.forget();
    const answers = await Promise.all(members.map((member) => acquire(newClaim(member))));
    expect(answers.map(({ kind }) => kind)).toEqual(members.map(() => 'granted'));
    expect(await connectionsTo(members.slice(1))).toEqual(connections);
    expect(log.lines).toEqual([]);
  });

  it('is not alone if the network has dropped all connections: each gets a new one in time', async () => {
    for (const proxy of proxies) proxy.forget();
    const answers = await Promise.all(members.map((member) => acquire(newClaim(member))));
    expect(answers.map(({ kind }) => kind)).toEqual(members.map(() => 'granted'));
  });

  it('does not make another one that is merely slow count as silent, too', async () => {
    const [hung, slow] = members as [Member, Member];
    proxies[1]!.delay = 300;
    hung.server.pause();
    try {
      const silent = Array.from({ length: 8 }, () => node.claim(newClaim(hung), 'a', TTL));
      const late: Promise<unknown>[] = [];
      for (let count = 0; count < 20; count++) {
        late.push(node.claim(newClaim(slow), 'a', TTL));
        await pause(100);
      }
      for (const answer of await Promise.allSettled(silent))
        expect(answer).toMatchObject({ reason: { scope: 'lock' } });
      // The first eight are left out: some were sent before the slow server had answered anything.
      for (const answer of (await Promise.allSettled(late)).slice(8))
        expect(answer).toMatchObject({ reason: { scope: 'slow' } });
    } finally {
      hung.server.resume();
      proxies[1]!.delay = 0;
    }
  });

  it.each([
    { what: 'locks that are released', isInterval: false, end: 'release' },
    { what: 'intervals that are settled', isInterval: true, end: 'settle' },
  ] as const)('has no $what, although ioredis sends an extension again after that', async (given) => {
    const [{ client }] = members as [Member];
    const locks = Array.from({ length: 40 }, () => newClaim(members[0]!).lock);
    const claims = locks.map((lock): Claim => ({
      lock,
      ...(given.isInterval && { every: { key: `{${lock}}:every`, keep: TTL } }),
    }));
    await Promise.all(claims.map((claim) => node.claim(claim, 'a', TTL)));
    proxies[0]!.swallow = 'everything';
    const extensions = Promise.all(claims.map((claim) => node.extend(claim, 'a', TTL)));
    await pause(50);
    proxies[0]!.swallow = 'nothing';
    proxies[0]!.cut();
    // ioredis sends each command to a random server first, so about one in four is overtaken.
    await Promise.all(claims.map((claim) => node[given.end](claim, 'a')));
    await extensions;
    const held = (): Promise<number[]> => Promise.all(locks.map((lock) => client.exists(lock)));
    await vi.waitFor(async () => expect(await held()).not.toContain(1), 1000);
  });

  it('keeps its connection while it refuses new ones', async () => {
    const [{ client }] = members as [Member];
    const before = await connectionsTo(members.slice(0, 1));
    await client.config('SET', 'maxclients', '1');
    onTestFinished(() => void client.config('SET', 'maxclients', '10000'));
    await client.call('CLIENT', 'PAUSE', '3000', 'WRITE');
    expect(await acquire(newClaim(members[0]!))).toMatchObject({ reason: 'store-down' });
    await vi.waitFor(
      async () => expect(await acquire(newClaim(members[0]!))).toMatchObject({ kind: 'granted' }),
      5000,
    );
    expect(await connectionsTo(members.slice(0, 1))).toEqual(before);
  });
});
