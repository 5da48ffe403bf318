import { beforeEach, expect, it, vi } from 'vitest';
import { sleep } from '../../src/clock.js';
import { NodeUnreachableError } from '../../src/errors.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { SingleNodeStore } from '../../src/acquire/single-node-store.js';
import type { VoteResult, Grant } from '../../src/acquire/outcome.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { claimOf, newName } from '../nodes/support.js';

const TTL = 30_000;

let clock: ManualClock;
let node: MemoryNode;
let claim: Claim;
beforeEach(() => {
  clock = new ManualClock();
  node = new MemoryNode(clock.now);
  claim = claimOf(newName());
});

function vote(what: Claim, ttl = TTL): Promise<VoteResult> {
  return clock.until(new SingleNodeStore(node, clock).vote(what, ttl));
}

function granted(answer: VoteResult): Grant {
  if (answer.kind !== 'granted') throw new Error(`Denied: ${JSON.stringify(answer)}`);
  return answer;
}

it('a free lock is granted to one claim until that is released', async () => {
  const grant = granted(await vote(claim));
  expect(await vote(claim)).toEqual({
    kind: 'denied',
    reason: 'overlap',
    lease: undefined,
    rank: undefined,
    holder: expect.any(String),
    causes: [],
  });
  await grant.release();
  granted(await vote(claim));
});

it('a tick can be in progress elsewhere, settled, or not due yet', async () => {
  const at = clock.now();
  const name = newName();
  const grant = granted(await vote(claimOf(name, at)));
  const result = async (what: Claim): Promise<unknown> => {
    const answer = await vote(what);
    return answer.kind === 'granted' ? 'granted' : answer;
  };
  expect(await result(claimOf(name, at))).toMatchObject({ kind: 'denied', reason: 'elsewhere' });
  await grant.settle();
  expect(await result(claimOf(name, at))).toEqual({ kind: 'denied', reason: 'settled', causes: [] });
  expect(await result(claimOf(name, at + 5000))).toMatchObject({ kind: 'early' });
});

it('a claim that a node may have granted before it failed is released', async () => {
  const real = node.claim.bind(node);
  vi.spyOn(node, 'claim').mockImplementation(async (...asked) => {
    await real(...asked);
    throw new Error('the reply got lost');
  });
  expect(await vote(claim)).toMatchObject({
    kind: 'denied',
    reason: 'store-down',
    causes: [{ message: 'the reply got lost' }],
  });
  vi.restoreAllMocks();
  granted(await vote(claim));
});

it('a claim that was never sent is not released', async () => {
  vi.spyOn(node, 'claim').mockRejectedValue(new NodeUnreachableError('1', 'not connected', 'unsent'));
  const release = vi.spyOn(node, 'release');
  expect(await vote(claim)).toMatchObject({ kind: 'denied', reason: 'store-down' });
  expect(release).not.toHaveBeenCalled();
});

it('a lease that had ended before the answer came is released', async () => {
  const real = node.claim.bind(node);
  vi.spyOn(node, 'claim').mockImplementation(async (what, token) => {
    // For the node, the lease begins with its answer.
    await sleep(clock, 60);
    return real(what, token, TTL);
  });
  expect(await vote(claim, 50)).toMatchObject({ kind: 'split' });
  vi.restoreAllMocks();
  granted(await vote(claim));
});

it('a lease counts from the moment of the request, less the drift of clocks', async () => {
  const [claims, extend] = [node.claim.bind(node), node.extend.bind(node)];
  vi.spyOn(node, 'claim').mockImplementation((...args) => sleep(clock, 500).then(() => claims(...args)));
  vi.spyOn(node, 'extend').mockImplementation((...args) => sleep(clock, 500).then(() => extend(...args)));
  const grant = granted(await vote(claim));
  expect(clock.elapsed()).toBe(500);
  expect(grant.validUntil).toBe(TTL * 0.99 - 2);
  await clock.until(grant.extend(TTL));
  expect(clock.elapsed()).toBe(1000);
  expect(grant.validUntil).toBe(500 + TTL * 0.99 - 2);
});

it('an extension to a shorter lease counts even if its answer is lost', async () => {
  const grant = granted(await vote(claim));
  vi.spyOn(node, 'extend').mockRejectedValue(new Error('the reply got lost'));
  await expect(grant.extend(2000)).rejects.toThrow('the reply got lost');
  expect(grant.validUntil).toBeLessThan(clock.elapsed() + 2000);
});

it('a lock that another claim holds by now cannot be extended, settled or released', async () => {
  const grant = granted(await vote(claim, 20));
  await clock.advance(30);
  granted(await vote(claim));
  await expect(grant.extend(TTL)).rejects.toThrow('another instance holds the lock');
  await expect(grant.settle()).rejects.toThrow('the claim no longer held the lock');
  await expect(grant.release()).rejects.toThrow('the claim no longer held the lock');
});
