import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { type LockNode, type Vote } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { Grant, VoteResult } from '../../src/acquire/outcome.js';
import type { BoundedNode } from '../../src/nodes/bounded-node.js';
import { type RedisServer, startServers } from '../engine/redis-server.js';
import {
  callsOf,
  claimOf,
  deadNode,
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

describe('a node whose answer is still under way when the lock is given back', () => {
  it('frees the lock at once', async () => {
    const slow = new (class extends MemoryNode {
      override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
        const vote = await super.claim(...args);
        await pause(300);
        return vote;
      }
    })();
    const claim = claimOf(newName());
    const grant = granted(await createStore([new MemoryNode(), new MemoryNode(), slow]).vote(claim, TTL));
    await grant.release();
    expect(await MemoryNode.prototype.extend.call(slow, claim, 'the next', TTL)).toBe(true);
  });

  it('is told again if the release came before the claim', async () => {
    const slow = new (class extends MemoryNode {
      override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
        await pause(100);
        return super.claim(...args);
      }
    })();
    const claim = claimOf(newName());
    const asked = vi.spyOn(slow, 'claim');
    const grant = granted(await createStore([new MemoryNode(), new MemoryNode(), slow]).vote(claim, TTL));
    await grant.release();
    expect(await asked.mock.results[0]?.value).toEqual({ kind: 'granted' });
    await pause(0);
    expect(await MemoryNode.prototype.extend.call(slow, claim, 'the next', TTL)).toBe(true);
  });

  it('is told to free what it granted, though its answer was lost before the vote was', async () => {
    const deaf = new (class extends MemoryNode {
      override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
        await super.claim(...args);
        throw new Error('the reply got lost');
      }
    })();
    const claim = claimOf(newName());
    const others = [new MemoryNode(), new MemoryNode()];
    for (const node of others) await node.claim(claim, 'somebody', TTL);
    expect(await createStore([deaf, ...others]).vote(claim, TTL)).toMatchObject({
      kind: 'denied',
      reason: 'overlap',
    });
    await pause(0);
    expect(await MemoryNode.prototype.extend.call(deaf, claim, 'the next', TTL)).toBe(true);
  });

  it('is told to free what it granted, though its answer was lost', async () => {
    const deaf = new (class extends MemoryNode {
      override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
        await super.claim(...args);
        await pause(100);
        throw new Error('the reply got lost');
      }
    })();
    const claim = claimOf(newName());
    const others = [new MemoryNode(), new MemoryNode()];
    for (const node of others) await node.claim(claim, 'somebody', TTL);
    const asked = vi.spyOn(deaf, 'claim');
    expect(await createStore([...others, deaf]).vote(claim, TTL)).toMatchObject({
      kind: 'denied',
      reason: 'overlap',
    });
    await expect(asked.mock.results[0]?.value).rejects.toThrow('the reply got lost');
    await pause(0);
    expect(await MemoryNode.prototype.extend.call(deaf, claim, 'the next', TTL)).toBe(true);
  });

  it('is told again if the run was settled before the claim came', async () => {
    const slow = new (class extends MemoryNode {
      override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
        await pause(100);
        return super.claim(...args);
      }
    })();
    const claim = { ...claimOf(newName()), every: { key: newName(), keep: TTL } };
    const asked = vi.spyOn(slow, 'claim');
    const grant = granted(await createStore([new MemoryNode(), new MemoryNode(), slow]).vote(claim, TTL));
    await grant.settle();
    expect(await asked.mock.results[0]?.value).toEqual({ kind: 'granted' });
    await pause(0);
    expect(await MemoryNode.prototype.extend.call(slow, { lock: claim.lock }, 'the next', TTL)).toBe(true);
    expect(
      await MemoryNode.prototype.claim.call(slow, { ...claim, lock: newName() }, 'b', TTL),
    ).toMatchObject({
      kind: 'ran',
    });
  });
});

describe('a contested vote', () => {
  /** Answers so late that nobody should wait for it. */
  class HungNode extends MemoryNode {
    override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
      await pause(400);
      return super.claim(...args);
    }
  }

  it('is given up long before nodes that hang have answered, and their grants are given back', async () => {
    const claim = claimOf(newName());
    const healthy = [new MemoryNode(), new MemoryNode(), new MemoryNode()];
    const hung = [new HungNode(), new HungNode()];
    await healthy[2]!.claim(claim, 'another contender', TTL);
    const { answer, took } = await timed(createStore([...healthy, ...hung]).vote(claim, TTL));
    expect(answer).toMatchObject({ kind: 'split' });
    expect(took).toBeLessThan(300);
    await pause(500);
    for (const node of [...healthy.slice(0, 2), ...hung]) {
      expect(await MemoryNode.prototype.extend.call(node, claim, 'the next', TTL)).toBe(true);
    }
  });

  it('does not wait for nodes that failed the last time', async () => {
    const failing = new HungNode();
    vi.spyOn(failing, 'claim').mockRejectedValueOnce(new Error('no answer'));
    const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode(), failing, new MemoryNode()];
    const store = createStore(nodes);
    granted(await store.vote(claimOf(newName()), TTL));
    await pause(0);
    const claim = claimOf(newName());
    await nodes[0]?.claim(claim, 'one', TTL);
    await nodes[1]?.claim(claim, 'another', TTL);
    const { answer, took } = await timed(store.vote(claim, TTL));
    expect(answer).toMatchObject({ kind: 'split' });
    expect(took).toBeLessThan(45);
  });

  it('does not wait for nodes that are known to be slow, until it has been taken several times', async () => {
    const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode(), new MemoryNode(), new HungNode()];
    const store = createStore(nodes);
    granted(await store.vote(claimOf(newName()), TTL));
    await pause(500);
    const claim = claimOf(newName());
    await nodes[0]?.claim(claim, 'one', TTL);
    await nodes[1]?.claim(claim, 'another', TTL);
    const { answer, took } = await timed(store.vote(claim, TTL, 3));
    expect(answer).toMatchObject({ kind: 'split' });
    expect(took).toBeLessThan(45);
    await pause(500);
    expect(await store.vote(claim, TTL, 4)).toHaveProperty('validUntil');
  });

  it('waits for a majority to answer', async () => {
    const claim = claimOf(newName());
    const nodes = [new MemoryNode(), new MemoryNode(), new HungNode(), new HungNode(), new HungNode()];
    await nodes[0]!.claim(claim, 'another contender', TTL);
    const answer = await createStore(nodes).vote(claim, TTL);
    expect(answer).toHaveProperty('validUntil');
    await granted(answer).release();
  });
});

/** Every way in which up to five nodes can be free, held by somebody else, or dead, and what comes of it. */
const ELECTIONS = [1, 2, 3, 4, 5].flatMap((count) =>
  Array.from({ length: count + 1 }, (_, free) => free).flatMap((free) =>
    Array.from({ length: count - free + 1 }, (_, held) => {
      const election = [free, held, count - free - held, outcomeOf(free, held, count)] as const;
      return election;
    }),
  ),
);

it.each(ELECTIONS)(
  'a vote of %i free, %i held and %i dead nodes is: %s',
  async (free, held, dead, outcome) => {
    const claim = claimOf(newName());
    const nodes: LockNode[] = Array.from({ length: free + held }, () => new MemoryNode());
    for (const node of nodes.slice(free)) await node.claim(claim, 'somebody', TTL);
    for (let index = 0; index < dead; index++) nodes.push(deadNode());

    const answer = await createStore(nodes).vote(claim, TTL);
    expect(nameOf(answer)).toBe(outcome);
    if (answer.kind === 'granted') await answer.release();
    // Whoever won or lost: what is given back is free for the next.
    for (const node of nodes.slice(0, free)) {
      await vi.waitFor(async () => expect(await node.claim(claim, 'next', TTL)).toEqual({ kind: 'granted' }));
    }
  },
);

it('a tick that a majority has settled is settled for everybody', async () => {
  const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode()];
  const claim = claimOf(newName(), Date.now());
  await Promise.all(nodes.slice(1).map((node) => node.settle(claim, 'somebody')));
  const answer = await createStore(nodes).vote(claim, TTL);
  expect(answer).toMatchObject({ kind: 'denied', reason: 'settled' });
});

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

    const { answer, took } = await timed(createStore(nodes.slice(0, count)).vote(claim, TTL));
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
    expect(await createStore(nodes).vote(claim, TTL)).toMatchObject({ kind: 'split' });
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

    expect(await createStore(nodes).vote(claim, TTL)).toMatchObject({ kind: 'denied', reason: 'overlap' });
    // The one that granted is asked twice.
    await vi.waitFor(async () => expect(first && (await scriptsOf(first))).toBe((before[0] ?? 0) + 2));
    expect(await Promise.all(rest.map(scriptsOf))).toEqual(before.slice(1).map((calls) => calls + 1));
  });

  it('a node that joined at an extension is given back too', async () => {
    const claim = claimOf(name);
    await clients[4]?.set(claim.lock, 'somebody', 'PX', 300);
    const grant = granted(await createStore(nodes).vote(claim, TTL));
    await pause(350);
    await grant.extend(TTL);
    await vi.waitFor(async () => expect(new Set(await holders(claim.lock)).size).toBe(1));
    expect(await clients[4]?.get(claim.lock)).not.toBeNull();
    await grant.release();
    await vi.waitFor(async () => expect(await holders(claim.lock)).toEqual([]));
  });

  it('a lock outlives a wall clock that is set forward by an hour, or back', async () => {
    for (const step of [3_600_000, -3_600_000]) {
      const grant = granted(await createStore(nodes).vote(claimOf(`${name}${step}`), TTL));
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
    const answer = await createStore(slow).vote(claimOf(name), 500);
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
      const { answer, took } = await timed(createStore(nodes).vote(claimOf(name), TTL));
      await granted(answer).settle();
      expect(took).toBeLessThan(SETTINGS.nodeTimeout);
    });

    it('two that hang do not keep the others from granting at once', async () => {
      for (const server of servers.slice(0, 2)) server.pause();
      const { answer, took } = await timed(createStore(nodes).vote(claimOf(name), TTL));
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
      const grant = granted(await createStore(nodes).vote(claim, TTL));
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

it('a lease is counted from the moment when it was asked for, not from the answer', async () => {
  const node = new MemoryNode();
  const claim = node.claim.bind(node);
  const extend = node.extend.bind(node);
  vi.spyOn(node, 'claim').mockImplementation((...args) => claim(...args).finally(() => pause(500)));
  vi.spyOn(node, 'extend').mockImplementation((...args) => extend(...args).finally(() => pause(500)));

  const asked = performance.now();
  const grant = granted(await createStore([node]).vote(claimOf(newName()), TTL));
  expect(grant.validUntil).toBeLessThan(asked + TTL);
  expect(grant.validUntil).toBeGreaterThan(asked + TTL * 0.98);

  const askedAgain = performance.now();
  await grant.extend(TTL);
  expect(grant.validUntil).toBeLessThan(askedAgain + TTL);
  expect(grant.validUntil).toBeGreaterThan(askedAgain + TTL * 0.98);
});

it('two nodes of which one is dead are a store that is down', async () => {
  const answer = await createStore([new MemoryNode(), deadNode()]).vote(claimOf(newName()), TTL);
  expect(answer).toMatchObject({ kind: 'denied', reason: 'store-down' });
});

describe('a node of somebody else that is no good', () => {
  const ways: [string, () => Promise<never>][] = [
    ['rejects with what is no error', () => Promise.reject('a text')],
    [
      'throws',
      () => {
        throw new Error('at once');
      },
    ],
    [
      'throws what is no error',
      () => {
        throw 'a text';
      },
    ],
    ['answers nothing', () => Promise.resolve(undefined as never)],
  ];

  it.each(ways)('and %s is a failed node like any other', async (_how, way) => {
    const odd: LockNode = { ...deadNode(), claim: way, extend: way, settle: way, release: way };
    const claim = { ...claimOf(newName(), Date.now()), loserCounter: { key: newName(), keep: 1000 } };
    expect(await createStore([new MemoryNode(), odd, odd]).vote(claim, TTL)).toMatchObject({
      kind: 'denied',
      reason: 'store-down',
    });
    expect(await createStore([odd]).vote(claim, TTL)).toMatchObject({
      kind: 'denied',
      reason: 'store-down',
      causes: [expect.any(Error)],
    });
    const grant = granted(await createStore([new MemoryNode(), odd, new MemoryNode()]).vote(claim, TTL));
    expect(await grant.extend(TTL)).toBeGreaterThan(performance.now());
    await grant.settle();
  });
});

it('nothing is kept of votes that are over', async () => {
  const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode()];
  const store = createStore(nodes);
  const kept = (): unknown =>
    (Reflect.get(Reflect.get(store, 'adapter') as object, 'voters') as Map<string, unknown>).size;
  const claim = claimOf(newName());
  const grant = granted(await store.vote(claim, TTL));
  expect(await store.vote(claim, TTL)).not.toMatchObject({ kind: 'granted' });
  expect(kept()).toBe(1);
  await grant.release();
  expect(kept()).toBe(0);
});

it('only the node that is asked first counts those who lose', async () => {
  const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode()];
  const claims = nodes.map((node) => vi.spyOn(node, 'claim'));
  const claim = { ...claimOf(newName(), Date.now()), loserCounter: { key: newName(), keep: 1000 } };
  granted(await createStore(nodes).vote(claim, TTL));
  expect(claims.map(({ mock }) => mock.calls.map(([asked]) => asked.loserCounter !== undefined))).toEqual([
    [true],
    [false],
    [false],
  ]);
});

it('a node that answers never keeps no majority waiting', async () => {
  const silent = new MemoryNode();
  vi.spyOn(silent, 'claim').mockImplementation(() => new Promise<Vote>(() => {}));
  const nodes = [silent, new MemoryNode(), new MemoryNode()];
  expect(await createStore(nodes).vote(claimOf(newName()), TTL)).toHaveProperty('validUntil');
});

/** What a majority of the nodes makes of a vote. */
function outcomeOf(free: number, held: number, count: number): string {
  const majority = Math.floor(count / 2) + 1;
  if (free >= majority) return 'granted';
  if (held >= majority) return 'overlap';
  return free + held < majority ? 'store-down' : 'split';
}

function nameOf(result: VoteResult): string {
  return result.kind === 'denied' ? result.reason : result.kind;
}

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
    const loserCounter = isRanked ? { key: `{JOB_LOCKER_${job}}:late:${at}`, keep: 10_000 } : undefined;
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
  return new Acquirer(createStore(nodes), nodeTimeout);
}

/** How many scripts a server has been asked to run. */
async function scriptsOf(client: Redis): Promise<number> {
  const calls = await callsOf(client);
  return (calls.get('evalsha') ?? 0) + (calls.get('eval') ?? 0);
}

function addressesOf(causes: readonly Error[]): string[] {
  return causes.map((cause) => /^Node (\S+):/.exec(cause.message)?.[1] ?? cause.message).toSorted();
}
