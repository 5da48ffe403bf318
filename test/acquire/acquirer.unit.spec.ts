import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { sleep } from '../../src/clock.js';
import { NodeUnreachableError } from '../../src/errors.js';
import type { Claim, LockNode, Vote } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { Denial, Grant } from '../../src/acquire/outcome.js';
import type { ClaimedRun } from '../../src/acquire/token.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { BusyDelay } from '../../src/services/busy-delay.service.js';
import { OperatorLog } from '../../src/services/operator-log.service.js';
import { LeaseRegistry } from '../../src/services/lease-registry.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { claimOf, deadNode, newName, timed } from '../nodes/support.js';

const TTL = 30_000;
const NODE_TIMEOUT = 1000;

let clock: ManualClock;
beforeEach(() => void (clock = new ManualClock()));

function memoryNodes(count: number): MemoryNode[] {
  return Array.from({ length: count }, () => new MemoryNode(clock.now));
}

function acquirerOf(nodes: readonly LockNode[]): Acquirer {
  return new Acquirer(createStore(nodes, clock), NODE_TIMEOUT, clock);
}

const never = (): AbortSignal => new AbortController().signal;

it('contenders that split a vote ask one node first, and all nodes at every fourth attempt', async () => {
  const nodes = memoryNodes(3);
  const claim = claimOf(newName());
  await Promise.all(nodes.slice(0, 2).map((node, id) => node.claim(claim, `contender ${id}`, TTL)));
  const [first, , free] = nodes.map((node) => vi.spyOn(node, 'claim'));
  const stop = new AbortController();
  const answer = acquirerOf(nodes).acquire(claim, TTL, 0, stop.signal);
  const askedOf = async (times: number): Promise<number | undefined> => {
    for (let ms = 0; ms < 3000 && first?.mock.calls.length !== times; ms++) await clock.advance(1);
    expect(first).toHaveBeenCalledTimes(times);
    return free?.mock.calls.length;
  };
  expect(await askedOf(1)).toBe(1);
  expect(await askedOf(4)).toBe(1);
  expect(await askedOf(5)).toBe(2);
  stop.abort();
  await answer;
});

describe('a tick that was begun by a majority of which only a minority is up', () => {
  const [before, at] = [Date.parse('2031-05-07T09:29:00Z'), Date.parse('2031-05-07T09:30:00Z')];

  /** What comes of its takeover, if some of the other nodes know that an earlier tick was settled. */
  async function takeover(knowing: number): Promise<Grant | Denial> {
    const [name, memories] = [newName(), memoryNodes(5)];
    const settled = claimOf(name, before);
    await Promise.all(memories.slice(0, 2 + knowing).map((node) => node.settle(settled, 'settled')));
    const begun = claimOf(name, at, { recover: true });
    await Promise.all(memories.slice(0, 2).map((node) => node.claim(begun, 'dead', 3000)));
    await clock.advance(5000);
    const claim = claimOf(name, at, { recover: true, isTakeover: true });
    const nodes = [...memories.slice(0, 4), deadNode()];
    return clock.until(acquirerOf(nodes).acquire(claim, TTL, 0, never()));
  }

  it('is taken over at once', async () => {
    expect(await takeover(2)).toMatchObject({ kind: 'granted' });
    expect(clock.elapsed()).toBeLessThan(5100);
  });

  it('is not taken over if the other nodes may have lost their data', async () => {
    expect(await takeover(0)).toMatchObject({ kind: 'denied' });
  });

  it('is not taken over while another node says that its run is alive', async () => {
    const [name, nodes] = [newName(), memoryNodes(3)];
    const [first, restored, third] = nodes as [MemoryNode, MemoryNode, MemoryNode];
    const begun = claimOf(name, at, { recover: true });
    for (const node of nodes) await node.settle(claimOf(name, before), 'settled');
    for (const node of [first, third]) await node.claim(begun, 'alive', 3000);
    // The first node has not heard of the renewals since, and the second one has the data of a minute ago.
    await clock.advance(2500);
    await third.extend(begun, 'alive', 3000);
    await clock.advance(1000);
    const claim = claimOf(name, at, { recover: true, isTakeover: true });
    const answer = acquirerOf([first, restored, third]).acquire(claim, TTL, 0, never());
    await clock.advance(1900);
    await third.extend(begun, 'alive', 30_000);
    expect(await clock.until(answer)).toMatchObject({ kind: 'denied' });
  });
});

it('a takeover that is denied leaves the nodes to the run that is alive', async () => {
  const [first, second, third] = memoryNodes(3) as [MemoryNode, MemoryNode, MemoryNode];
  const at = clock.now();
  const name = newName();
  const begun = claimOf(name, at, { recover: true });
  const run = (await acquirerOf([first, second, third]).acquire(begun, 3000, 0, never())) as Grant;
  // The third node is down until it considers the run dead.
  const down = vi.spyOn(third, 'extend').mockRejectedValue(new Error('is down'));
  for (let count = 0; count < 4; count++) {
    await clock.advance(1000);
    await run.extend(3000);
  }
  down.mockRestore();
  const takeover = claimOf(name, at, { recover: true, isTakeover: true });
  const answer = await clock.until(acquirerOf([first, second, third]).acquire(takeover, TTL, 0, never()));
  expect(answer).toMatchObject({ kind: 'denied' });
  await clock.advance(1001);
  await run.extend(3000);
  vi.spyOn(second, 'extend').mockRejectedValue(new Error('is down'));
  await expect(run.extend(3000)).resolves.toBeGreaterThan(clock.elapsed());
});

it.each([
  { count: 1, what: 'a tick', at: true, run: 'run/0/1/2' },
  { count: 5, what: 'a tick', at: true, run: 'run/0/1/2' },
  { count: 1, what: 'a lock', at: false, run: undefined },
  { count: 5, what: 'a lock', at: false, run: undefined },
])('releases its own earlier attempt at $what again, if that got lost, on $count nodes', async (given) => {
  const { count, at, run } = given;
  const nodes = memoryNodes(count);
  const claim = { ...claimOf(newName(), at ? clock.now() : undefined), run };
  for (const node of nodes) {
    const claimNow = node.claim.bind(node);
    vi.spyOn(node, 'claim').mockImplementationOnce(async (...what) => {
      await claimNow(...what);
      throw new Error('the reply got lost');
    });
    vi.spyOn(node, 'release').mockRejectedValueOnce(new Error('the release got lost'));
  }
  const { answer, took } = await timed(acquirerOf(nodes).acquire(claim, TTL, 0, never()), clock);
  expect(answer).toMatchObject({ kind: 'granted' });
  expect(took).toBeLessThan(500);
});

it('keeps what a later attempt has won when the answer to an earlier one arrives', async () => {
  const nodes = memoryNodes(3);
  const [, second, third] = nodes as [MemoryNode, MemoryNode, MemoryNode];
  const claim = { ...claimOf(newName(), clock.now()), run: 'run/0/1/2' };
  await second.claim(claim, 'a contender', TTL);
  const claimNow = third.claim.bind(third);
  vi.spyOn(third, 'claim').mockImplementationOnce(async (...what) => {
    await sleep(clock, 300);
    return claimNow(...what);
  });
  const released = vi.spyOn(third, 'release');
  const acquired = acquirerOf(nodes).acquire(claim, TTL, 0, never());
  await clock.advance(299);
  const grant = granted(await acquired);
  released.mockClear();
  await clock.advance(1000);
  expect(released).not.toHaveBeenCalled();
  await second.release(claim, 'a contender');
  const other = { ...claim, run: 'other/0/1/2' };
  const answer = clock.until(acquirerOf(nodes).acquire(other, TTL, 0, never()));
  expect(await answer).toMatchObject({ kind: 'denied', reason: 'elsewhere' });
  expect(await grant.extend(TTL)).toBeGreaterThan(clock.elapsed());
});

it('takes no tick over of which no node knows', async () => {
  const takeover = claimOf(newName(), clock.now(), { recover: true, isTakeover: true });
  const answer = await acquirerOf(memoryNodes(5)).acquire(takeover, TTL, 0, never());
  expect(answer).toMatchObject({ kind: 'denied', isUnbegun: true });
});

describe.each([1, 3])('an acquirer with %i nodes', (count) => {
  let nodes: MemoryNode[];
  let claim: Claim;
  let stop: AbortController;

  beforeEach(() => {
    nodes = memoryNodes(count);
    claim = claimOf(newName());
    stop = new AbortController();
  });
  afterEach(() => void vi.restoreAllMocks());

  it('asks once for a lock that another claim holds', async () => {
    await hold(claim, 'somebody');
    const asked = nodes.map((node) => vi.spyOn(node, 'claim'));
    expect(await claimOnce(claim)).toMatchObject({ reason: 'overlap', causes: [] });
    for (const spy of asked) expect(spy).toHaveBeenCalledTimes(1);
  });

  it('waits until a held lock is free, if it is to wait', async () => {
    await hold(claim, 'somebody');
    clock.setTimeout(() => void Promise.all(nodes.map((node) => node.release(claim, 'somebody'))), 300);
    const { answer, took } = await timed(claimOnce(claim, 10_000), clock);
    await granted(answer).release();
    expect(took).toBeGreaterThanOrEqual(300);
    expect(took).toBeLessThan(300 + 150);
  });

  it('waits for a held lock no longer than it is to', async () => {
    await hold(claim, 'somebody');
    const { answer, took } = await timed(claimOnce(claim, 400), clock);
    expect(answer).toMatchObject({ reason: 'overlap', causes: [] });
    expect(took).toBe(400);
  });

  it('waits until a tick is due, and wins it then', async () => {
    const at = clock.now() + 900;
    const answer = await claimOnce(claimOf(newName(), at));
    expect(clock.now()).toBe(at);
    await granted(answer).settle();
  });

  it('does not count the wait for a tick to become due as time spent on it', async () => {
    // The wait is longer than the time for which an outage is retried, and the nodes fail once after it.
    const at = clock.now() + 800;
    for (const node of nodes) failOnce(node, () => clock.now() >= at - 100);
    expect(await claimOnce(claimOf(newName(), at))).toHaveProperty('validUntil');
  });

  it('stops waiting for a tick when its signal aborts, and asks no more', async () => {
    const asked = nodes.map((node) => vi.spyOn(node, 'claim'));
    clock.setTimeout(() => stop.abort(), 100);
    const { answer, took } = await timed(claimOnce(claimOf(newName(), clock.now() + 60_000)), clock);
    expect(answer).toHaveProperty('reason');
    expect(took).toBe(100);
    for (const spy of asked) expect(spy).toHaveBeenCalledTimes(1);
  });

  it('stops waiting for a lock when its signal aborts, and does not acquire it afterwards', async () => {
    await hold(claim, 'somebody');
    stop.abort();
    const waiting = claimOnce(claim, 10_000);
    await Promise.all(nodes.map((node) => node.release(claim, 'somebody')));
    expect(await waiting).toMatchObject({ reason: 'overlap', causes: [] });
  });

  it('gives up without a quorum after half of nodeTimeout, with the error of each node', async () => {
    const dead = [...nodes.slice(0, (count - 1) / 2), ...nodes.slice((count - 1) / 2).map(deadNode)];
    const { answer, took } = await timed(claimOnce(claim, 0, dead), clock);
    expect(answer).toMatchObject({ reason: 'store-down' });
    expect('causes' in answer && answer.causes.map((cause) => cause.message)).toEqual(
      Array.from({ length: (count + 1) / 2 }, () => 'Node nowhere:1: dead'),
    );
    expect(took).toBe(NODE_TIMEOUT / 2);
  });

  it('wins when the nodes come back in time', async () => {
    const back = clock.elapsed() + 200;
    for (const node of nodes)
      failOnce(
        node,
        () => true,
        () => clock.elapsed() < back,
      );
    const { answer, took } = await timed(claimOnce(claim), clock);
    expect(answer).toHaveProperty('validUntil');
    expect(took).toBe(200);
  });

  it('wins a tick that finds an older one in progress, once that has ended', async () => {
    const [older, due] = ticksOf(newName());
    await hold(older, 'an instance whose clock lags');
    clock.setTimeout(
      () => void Promise.all(nodes.map((node) => node.settle(older, 'an instance whose clock lags'))),
      30,
    );
    const answer = await claimOnce(due);
    expect(answer).toHaveProperty('validUntil');
    await granted(answer).settle();
  });

  it('gives up a tick that finds a longer run in progress', async () => {
    const [older, due] = ticksOf(newName());
    await hold(older, 'an instance whose clock lags');
    const { answer, took } = await timed(claimOnce(due), clock);
    expect(answer).toMatchObject({ reason: 'overlap' });
    expect(took).toBeGreaterThanOrEqual(250);
    expect(took).toBeLessThan(250 + 75);
  });

  it('lets two of the losers that find a run in progress try again', async () => {
    const [older, due] = ticksOf(newName());
    await hold(older, 'somebody');
    const claims = nodes.map((node) => vi.spyOn(node, 'claim'));
    const counted = { ...due, loserCounter: { key: 'late', keep: TTL } };
    await Promise.all(Array.from({ length: 10 }, () => claimOnce(counted)));
    const calls = claims.map(({ mock }) => mock.calls.length);
    // Ten ask the first node, and two of them all nodes, every 25 to 75 ms for 250 ms.
    expect(Math.max(...calls)).toBeLessThanOrEqual(10 + 2 * 10);
    expect(Math.max(...calls)).toBeGreaterThanOrEqual(10 + 2 * 3);
  });

  function claimOnce(what: Claim, wait = 0, among: readonly LockNode[] = nodes) {
    return clock.until(acquirerOf(among).acquire(what, TTL, wait, stop.signal));
  }

  async function hold(what: Claim, token: string): Promise<void> {
    for (const node of nodes) expect(await node.claim(what, token, TTL)).toEqual({ kind: 'granted' });
  }
});

/** Claims of two ticks of one job: one of a second ago, and one that is due. */
function ticksOf(name: string): [Claim, Claim] {
  const now = clock.now();
  return [claimOf(name, now - 1000), claimOf(name, now)];
}

it('a plain call whose votes remain split finds another run', async () => {
  const nodes = memoryNodes(3);
  const claim = claimOf(newName());
  await Promise.all(nodes.slice(0, 2).map((node, id) => node.claim(claim, `contender ${id}`, TTL)));
  const answer = await clock.until(acquirerOf(nodes).acquire(claim, TTL, 0, never()));
  expect(answer).toMatchObject({ kind: 'denied', reason: 'overlap' });
});

it('a tick is claimed again by a process that stood still until its lease was over', async () => {
  const node = new MemoryNode(clock.now);
  const claim = claimOf(newName(), clock.now());
  const frozen = Object.create(node) as MemoryNode;
  vi.spyOn(frozen, 'claim').mockImplementationOnce(async (...args) => {
    const vote = await node.claim(...args);
    await sleep(clock, TTL + 1);
    return vote;
  });
  const untilNext = 10 * TTL;
  const answer = acquirerOf([frozen]).acquire(claim, TTL, 0, never(), { untilNext });
  await clock.advance(1);
  const other = await acquirerOf([node]).acquire(claim, TTL, 0, never(), { untilNext });
  expect(other).toMatchObject({ kind: 'denied', reason: 'elsewhere' });
  expect(await clock.until(answer)).toMatchObject({ kind: 'granted' });
});

it('a split vote is repeated until exactly one contender has won', async () => {
  for (let round = 0; round < 20; round++) {
    const nodes = memoryNodes(5);
    const claim = claimOf(newName());
    // Each of the five has one vote when they begin.
    const contenders = nodes.map((_, first) => {
      const order = nodes.map((_node, index) => nodes[(first + index) % 5] as MemoryNode);
      return acquirerOf(order);
    });
    const answers = await clock.until(
      Promise.all(contenders.map((contender) => contender.acquire(claim, TTL, 0, never()))),
    );
    const grants = answers.filter((answer) => answer.kind === 'granted');
    expect(grants.length).toBe(1);
  }
});

it('a loser waits for slow nodes in the end, and does not repeat the vote again and again', async () => {
  class SlowNode extends MemoryNode {
    override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
      await sleep(clock, 150);
      return super.claim(...args);
    }
  }
  const nodes = [...memoryNodes(3), new SlowNode(clock.now), new SlowNode(clock.now)];
  const claim = claimOf(newName());
  for (const index of [0, 1, 3])
    await MemoryNode.prototype.claim.call(nodes[index], claim, 'the winner', TTL);
  const { answer, took } = await timed(acquirerOf(nodes).acquire(claim, TTL, 0, never()), clock);
  expect(answer).toMatchObject({ reason: 'overlap' });
  expect(took).toBeLessThan(1000);
});

it('a loser at the lead node tries again, in case the claim that passed fails', async () => {
  const nodes = memoryNodes(3);
  const claim = { ...claimOf(newName(), clock.now()), loserCounter: { key: 'late', keep: TTL } };
  for (const node of nodes) await node.claim(claim, 'somebody', TTL);
  const answer = acquirerOf(nodes).acquire(claim, TTL, 0, never());
  await clock.advance(20);
  for (const node of nodes) await node.release(claim, 'somebody');
  expect(await clock.until(answer)).toHaveProperty('validUntil');
});

describe('a tick that is claimed ten seconds early, because the clock of the instance is ahead,', () => {
  let node: MemoryNode;
  let due: number;
  beforeEach(() => {
    node = new MemoryNode(clock.now);
    due = clock.now() + 10_000;
  });

  it('is retried no shorter than any other while the node answers too slowly', async () => {
    const slow = new NodeUnreachableError(node.address, 'no answer within 1000 ms', 'slow');
    const claim = node.claim.bind(node);
    vi.spyOn(node, 'claim').mockImplementation((...args) => {
      const isSlow = clock.now() >= due && clock.now() < due + 3000;
      return isSlow ? Promise.reject(slow) : claim(...args);
    });
    const answer = acquirerOf([node]).acquire(claimOf(newName(), due), TTL, 0, never(), { untilNext: 1000 });
    expect(await clock.until(answer)).toHaveProperty('validUntil');
  });
});

const RUN: ClaimedRun = { runId: 'run', trigger: 'schedule', calledAt: 0, tick: undefined };

it('claims for a dead server of a Cluster do not delay those for the others', async () => {
  const [node] = memoryNodes(1) as [MemoryNode];
  const dead = new Set(Array.from({ length: 40 }, newName));
  const healthy = Array.from({ length: 80 }, newName);
  const isDead = ({ lock }: Claim): boolean => dead.has(lock.replace('JOB_LOCKER_', ''));
  const claimNow = node.claim.bind(node);
  vi.spyOn(node, 'claim').mockImplementation(async (...what) => {
    await sleep(clock, isDead(what[0]) ? NODE_TIMEOUT / 3 : 1);
    if (isDead(what[0])) throw new NodeUnreachableError('cluster:1', 'its server cannot be reached', 'lock');
    return claimNow(...what);
  });
  const acquirer = acquirerOf([node]);
  const claimTick = async (name: string): Promise<number> => {
    const claim = claimOf(name, clock.now());
    const asked = clock.elapsed();
    const answer = await acquirer.acquire(claim, TTL, 0, never(), { untilNext: 5000 });
    expect(answer.kind).toBe(dead.has(name) ? 'denied' : 'granted');
    if (answer.kind === 'granted') await answer.settle();
    return clock.elapsed() - asked;
  };
  for (let tick = 0; tick < 6; tick++) {
    const ended = [...dead].map(claimTick);
    const waits = healthy.map(claimTick);
    await clock.advance(5000);
    expect(Math.max(...(await Promise.all(waits)))).toBeLessThan(NODE_TIMEOUT / 10);
    await Promise.all(ended);
  }
});

it('many claims that wait at the same time cause no warning', async () => {
  const warn = vi.fn<(warning: Error) => void>();
  process.on('warning', warn);
  const leases = new LeaseRegistry(
    acquirerOf(memoryNodes(1)),
    new OperatorLog([], resolveOptions({}), clock),
    new BusyDelay(),
    clock,
  );
  const settings = { name: 'job', ttl: TTL, maxRuntime: undefined, run: RUN };
  const waiting = Array.from({ length: 30 }, () =>
    leases.acquire(claimOf(newName(), clock.now() + 60_000), settings),
  );
  await clock.advance(100);
  leases.close();
  expect(await Promise.all(waiting)).toEqual(
    waiting.map(() => expect.objectContaining({ reason: 'shutdown' })),
  );
  process.off('warning', warn);
  expect(warn).not.toHaveBeenCalled();
});

/** Makes a node fail while `fails`, once `begins`; by default, fail once. */
function failOnce(node: MemoryNode, begins: () => boolean, fails?: () => boolean): void {
  const claim = node.claim.bind(node);
  let hasFailed = false;
  vi.spyOn(node, 'claim').mockImplementation((...args) => {
    const isFailing = begins() && (fails?.() ?? !hasFailed);
    hasFailed ||= isFailing;
    return isFailing ? Promise.reject(new Error('not now')) : claim(...args);
  });
}

function granted(answer: Grant | object): Grant {
  expect(answer).toHaveProperty('validUntil');
  return answer as Grant;
}
