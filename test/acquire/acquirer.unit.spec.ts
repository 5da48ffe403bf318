import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import type { Claim, LockNode, Vote } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { Grant } from '../../src/acquire/outcome.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { OperatorLog } from '../../src/services/operator-log.service.js';
import { LeaseRegistry } from '../../src/services/lease-registry.service.js';
import { claimOf, deadNode, newName, timed } from '../nodes/support.js';

const TTL = 30_000;
const NODE_TIMEOUT = 1000;
/** What a busy machine may add to a duration, in milliseconds. */
const BUSY = 1000;

it('contenders that split a vote go in turn, by one node, and now and then ask all', async () => {
  const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode()];
  const claim = claimOf(newName());
  await Promise.all(nodes.slice(0, 2).map((node, id) => node.claim(claim, `contender ${id}`, TTL)));
  const [first, , free] = nodes.map((node) => vi.spyOn(node, 'claim'));
  const stop = new AbortController();
  const answer = new Acquirer(createStore(nodes), NODE_TIMEOUT).acquire(claim, TTL, 0, stop.signal);
  const askedOf = async (times: number): Promise<number | undefined> => {
    await vi.waitFor(() => expect(first).toHaveBeenCalledTimes(times), { interval: 1, timeout: 3000 });
    return free?.mock.calls.length;
  };
  expect(await askedOf(1)).toBe(1);
  expect(await askedOf(4)).toBe(1);
  expect(await askedOf(5)).toBe(2);
  stop.abort();
  await answer;
});

describe.each([1, 3])('a acquirer of %i nodes', (count) => {
  let nodes: MemoryNode[];
  let claim: Claim;
  let stop: AbortController;

  beforeEach(() => {
    nodes = Array.from({ length: count }, () => new MemoryNode());
    claim = claimOf(newName());
    stop = new AbortController();
  });
  afterEach(() => void vi.restoreAllMocks());

  it('asks once for what somebody else has', async () => {
    await hold(claim, 'somebody');
    const asked = nodes.map((node) => vi.spyOn(node, 'claim'));
    expect(await claimOnce(claim)).toMatchObject({ reason: 'overlap', causes: [] });
    for (const spy of asked) expect(spy).toHaveBeenCalledTimes(1);
  });

  it('waits for what somebody else has, if it is to wait, until it is free', async () => {
    await hold(claim, 'somebody');
    setTimeout(() => void Promise.all(nodes.map((node) => node.release(claim, 'somebody'))), 300);
    const { answer, took } = await timed(claimOnce(claim, 10_000));
    await granted(answer).release();
    expect(took).toBeGreaterThan(250);
    expect(took).toBeLessThan(300 + BUSY);
  });

  it('waits for what somebody else has no longer than it is to', async () => {
    await hold(claim, 'somebody');
    const { answer, took } = await timed(claimOnce(claim, 400));
    expect(answer).toMatchObject({ reason: 'overlap', causes: [] });
    expect(took).toBeGreaterThan(390);
    expect(took).toBeLessThan(400 + BUSY);
  });

  it('waits until a tick is due, and then wins it', async () => {
    const at = Date.now() + 900;
    const answer = await claimOnce(claimOf(newName(), at));
    expect(Date.now()).toBeGreaterThanOrEqual(at - 500);
    expect(Date.now()).toBeLessThan(at + BUSY);
    await granted(answer).settle();
  });

  it('does not take the time until a tick is due for time spent on it', async () => {
    // Due later than nodes that fail are given time for: they fail once when it is due.
    const at = Date.now() + 800;
    for (const node of nodes) failOnce(node, () => Date.now() >= at - 100);
    expect(await claimOnce(claimOf(newName(), at))).toHaveProperty('validUntil');
  });

  it('stops waiting for a tick when it is told to, and asks no more', async () => {
    const asked = nodes.map((node) => vi.spyOn(node, 'claim'));
    setTimeout(() => stop.abort(), 100);
    const { answer, took } = await timed(claimOnce(claimOf(newName(), Date.now() + 60_000)));
    expect(answer).toHaveProperty('reason');
    expect(took).toBeLessThan(100 + BUSY);
    for (const spy of asked) expect(spy).toHaveBeenCalledTimes(1);
  });

  it('stops waiting for a lock when it is told to, and does not take it any more', async () => {
    await hold(claim, 'somebody');
    stop.abort();
    const waiting = claimOnce(claim, 10_000);
    await Promise.all(nodes.map((node) => node.release(claim, 'somebody')));
    expect(await waiting).toMatchObject({ reason: 'overlap', causes: [] });
  });

  it('says "store-down" when it can reach no majority, with the reason of each node', async () => {
    const dead = [...nodes.slice(0, (count - 1) / 2), ...nodes.slice((count - 1) / 2).map(deadNode)];
    const { answer, took } = await timed(claimOnce(claim, 0, dead));
    expect(answer).toMatchObject({ reason: 'store-down' });
    expect('causes' in answer && answer.causes.map((cause) => cause.message)).toEqual(
      Array.from({ length: (count + 1) / 2 }, () => 'Node nowhere:1: dead'),
    );
    expect(took).toBeLessThan(NODE_TIMEOUT + BUSY);
  });

  it('wins when the nodes come back in time', async () => {
    const back = performance.now() + 200;
    for (const node of nodes)
      failOnce(
        node,
        () => true,
        () => performance.now() < back,
      );
    expect(await claimOnce(claim)).toHaveProperty('validUntil');
  });

  it('runs a tick that finds an older one being run, once that has ended', async () => {
    const [older, due] = ticksOf(newName());
    await hold(older, 'an instance whose clock lags');
    setTimeout(
      () => void Promise.all(nodes.map((node) => node.settle(older, 'an instance whose clock lags'))),
      30,
    );
    const answer = await claimOnce(due);
    expect(answer).toHaveProperty('validUntil');
    await granted(answer).settle();
  });

  it('gives a tick up that finds a longer run in its way', async () => {
    const [older, due] = ticksOf(newName());
    await hold(older, 'an instance whose clock lags');
    const { answer, took } = await timed(claimOnce(due));
    expect(answer).toMatchObject({ reason: 'overlap' });
    expect(took).toBeGreaterThan(240);
    expect(took).toBeLessThan(250 + BUSY);
  });

  it('leaves it to two of those who find a run in the way to come again', async () => {
    const [older, due] = ticksOf(newName());
    await hold(older, 'somebody');
    const claims = nodes.map((node) => vi.spyOn(node, 'claim'));
    await Promise.all(
      Array.from({ length: 10 }, () => claimOnce({ ...due, loserCounter: { key: 'late', keep: TTL } })),
    );
    const calls = claims.map(({ mock }) => mock.calls.length);
    // Ten at the first node; at all of them the two, every 25 to 75 ms for 250 to 325 ms.
    expect(Math.max(...calls)).toBeLessThanOrEqual(10 + 2 * 14);
    expect(Math.max(...calls)).toBeGreaterThanOrEqual(10 + 2 * 3);
  });

  function claimOnce(what: Claim, wait = 0, among: readonly LockNode[] = nodes) {
    return new Acquirer(createStore(among), NODE_TIMEOUT).acquire(what, TTL, wait, stop.signal);
  }

  async function hold(what: Claim, token: string): Promise<void> {
    for (const node of nodes) expect(await node.claim(what, token, TTL)).toEqual({ kind: 'granted' });
  }
});

/** Claims of two ticks of one job: one of a second ago, and one that is due. */
function ticksOf(name: string): [Claim, Claim] {
  const now = Date.now();
  return [claimOf(name, now - 1000), claimOf(name, now)];
}

it('a split vote is taken again until one has won, and costs nobody the lock', async () => {
  for (let round = 0; round < 20; round++) {
    const nodes = Array.from({ length: 5 }, () => new MemoryNode());
    const claim = claimOf(newName());
    // Each of the five has one vote when they begin.
    const contenders = nodes.map((_, first) => {
      const order = nodes.map((_node, index) => nodes[(first + index) % 5] as MemoryNode);
      return new Acquirer(createStore(order), NODE_TIMEOUT);
    });
    const answers = await Promise.all(
      contenders.map((contender) => contender.acquire(claim, TTL, 0, new AbortController().signal)),
    );
    const grants = answers.filter((answer) => answer.kind === 'granted');
    expect(grants.length).toBe(1);
  }
});

it('who loses hears it in the end from nodes that are slow, and does not vote on and on', async () => {
  class SlowNode extends MemoryNode {
    override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
      await pause(150);
      return super.claim(...args);
    }
  }
  const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode(), new SlowNode(), new SlowNode()];
  const claim = claimOf(newName());
  for (const index of [0, 1, 3]) await nodes[index]!.claim(claim, 'the winner', TTL);
  const claimed = new Acquirer(createStore(nodes), NODE_TIMEOUT).acquire(
    claim,
    TTL,
    0,
    new AbortController().signal,
  );
  const { answer, took } = await timed(claimed);
  expect(answer).toMatchObject({ reason: 'overlap' });
  expect(took).toBeLessThan(1000 + BUSY);
});

it('who is turned away by one node comes again, in case the one that passed fails', async () => {
  const nodes = [new MemoryNode(), new MemoryNode(), new MemoryNode()];
  const claim = { ...claimOf(newName(), Date.now()), loserCounter: { key: 'late', keep: TTL } };
  for (const node of nodes) await node.claim(claim, 'somebody', TTL);
  const answer = new Acquirer(createStore(nodes), NODE_TIMEOUT).acquire(
    claim,
    TTL,
    0,
    new AbortController().signal,
  );
  await pause(20);
  for (const node of nodes) await node.release(claim, 'somebody');
  expect(await answer).toHaveProperty('validUntil');
});

it('many claims that wait at the same time are nothing to warn of', async () => {
  const warn = vi.fn<(warning: Error) => void>();
  process.on('warning', warn);
  const leases = new LeaseRegistry(
    new Acquirer(createStore([new MemoryNode()]), NODE_TIMEOUT),
    new OperatorLog(resolveOptions({})),
  );
  const settings = { name: 'job', ttl: TTL, maxRuntime: undefined, isRun: true };
  const waiting = Array.from({ length: 30 }, () =>
    leases.acquire(claimOf(newName(), Date.now() + 60_000), settings),
  );
  await pause(100);
  leases.close();
  expect(await Promise.all(waiting)).toEqual(
    waiting.map(() => expect.objectContaining({ reason: 'shutdown' })),
  );
  process.off('warning', warn);
  expect(warn).not.toHaveBeenCalled();
});

/** A node that fails while `fails`, from the moment when `begins`. */
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
