import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, expect, it, vi } from 'vitest';
import type { Claim } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { SingleNodeStore } from '../../src/acquire/single-node-store.js';
import type { VoteResult, Grant } from '../../src/acquire/outcome.js';
import { claimOf, newName } from '../nodes/support.js';

const TTL = 30_000;

let node: MemoryNode;
let claim: Claim;
beforeEach(() => {
  node = new MemoryNode();
  claim = claimOf(newName());
});

function granted(answer: VoteResult): Grant {
  if (answer.kind !== 'granted') throw new Error(`Denied: ${JSON.stringify(answer)}`);
  return answer;
}

it('is granted what nobody has, and then nobody else is until it is given back', async () => {
  const grant = granted(await new SingleNodeStore(node).vote(claim, TTL));
  expect(await new SingleNodeStore(node).vote(claim, TTL)).toEqual({
    kind: 'denied',
    reason: 'overlap',
    lease: undefined,
    rank: undefined,
    holder: expect.any(String),
    causes: [],
  });
  await grant.release();
  granted(await new SingleNodeStore(node).vote(claim, TTL));
});

it('says of a tick that it is settled, run elsewhere, or not due yet', async () => {
  const at = Date.now();
  const name = newName();
  const grant = granted(await new SingleNodeStore(node).vote(claimOf(name, at), TTL));
  const result = async (what: Claim): Promise<unknown> => {
    const answer = await new SingleNodeStore(node).vote(what, TTL);
    return answer.kind === 'granted' ? 'granted' : answer;
  };
  expect(await result(claimOf(name, at))).toMatchObject({ kind: 'denied', reason: 'elsewhere' });
  await grant.settle();
  expect(await result(claimOf(name, at))).toEqual({ kind: 'denied', reason: 'settled', causes: [] });
  expect(await result(claimOf(name, at + 5000))).toMatchObject({ kind: 'early' });
});

it('gives back what a node may have granted before it failed', async () => {
  const real = node.claim.bind(node);
  vi.spyOn(node, 'claim').mockImplementation(async (...asked) => {
    await real(...asked);
    throw new Error('the reply got lost');
  });
  expect(await new SingleNodeStore(node).vote(claim, TTL)).toMatchObject({
    kind: 'denied',
    reason: 'store-down',
    causes: [{ message: 'the reply got lost' }],
  });
  vi.restoreAllMocks();
  granted(await new SingleNodeStore(node).vote(claim, TTL));
});

it('gives back a lease that was over before its answer came', async () => {
  const real = node.claim.bind(node);
  vi.spyOn(node, 'claim').mockImplementation(async (what, token) => {
    // The node counts from the moment at which it answers.
    await pause(60);
    return real(what, token, TTL);
  });
  expect(await new SingleNodeStore(node).vote(claim, 50)).toMatchObject({ kind: 'split' });
  vi.restoreAllMocks();
  granted(await new SingleNodeStore(node).vote(claim, TTL));
});

it('counts a lease from the moment at which it was asked for', async () => {
  const before = performance.now();
  const grant = granted(await new SingleNodeStore(node).vote(claim, TTL));
  expect(grant.validUntil).toBeLessThan(performance.now() + TTL * 0.99);
  expect(grant.validUntil).toBeGreaterThan(before + TTL * 0.98);
});

it('takes a shorter lease for the one that it has, though its answer is lost', async () => {
  const grant = granted(await new SingleNodeStore(node).vote(claim, TTL));
  vi.spyOn(node, 'extend').mockRejectedValue(new Error('the reply got lost'));
  await expect(grant.extend(2000)).rejects.toThrow('the reply got lost');
  expect(grant.validUntil).toBeLessThan(performance.now() + 2000);
});

it('rejects to extend, settle or release what somebody else has by now', async () => {
  const grant = granted(await new SingleNodeStore(node).vote(claim, 20));
  await pause(30);
  granted(await new SingleNodeStore(node).vote(claim, TTL));
  await expect(grant.extend(TTL)).rejects.toThrow('another instance holds the lock');
  await expect(grant.settle()).rejects.toThrow('the lease had already ended');
  await expect(grant.release()).rejects.toThrow('the lease had already ended');
});
