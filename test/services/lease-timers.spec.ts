import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { LockLostError, MemoryNode } from '../../src/index.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { Grant } from '../../src/acquire/outcome.js';
import { Lease } from '../../src/runs/lease.js';

const CLAIM: Claim = { lock: 'JOB_LOCKER_report' };

/** A node whose extensions take effect, and whose replies to them can get lost. */
class DeafNode extends MemoryNode {
  isDeaf = false;

  override async extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    const isHeld = await super.extend(claim, token, ttl);
    await pause(50);
    if (this.isDeaf) throw new Error('no answer');
    return isHeld;
  }
}

async function leaseOn(node: DeafNode, ttl: number): Promise<Lease> {
  const grant = await createStore([node]).vote(CLAIM, ttl);
  return new Lease(grant as Grant, { name: 'report', ttl, maxRuntime: undefined, isRun: true });
}

it('aborts in time when a shorter ttl came to the nodes and the reply got lost', async () => {
  const node = new DeafNode();
  const lease = await leaseOn(node, 30_000);
  node.isDeaf = true;
  const begin = performance.now();
  await expect(lease.extend(500)).rejects.toThrow(LockLostError);
  await expect.poll(() => lease.signal.aborted, { timeout: 2000, interval: 10 }).toBe(true);
  expect(performance.now() - begin).toBeLessThan(600);
  await lease.end('release');
});

it('aborts when the process was stopped past the lease before the first renewal, and asks for no other one', async () => {
  const node = new DeafNode();
  const extend = vi.spyOn(node, 'extend');
  const lease = await leaseOn(node, 300);
  // Somebody else has had the lock meanwhile, and is done: the node would give it again.
  for (const until = performance.now() + 400; performance.now() < until;);
  await expect.poll(() => lease.signal.aborted, { timeout: 1000, interval: 10 }).toBe(true);
  expect(lease.signal.reason).toBeInstanceOf(LockLostError);
  expect(extend).not.toHaveBeenCalled();
  await lease.end('release');
});

it('aborts when an extension is answered only after the lease', async () => {
  const node = new DeafNode();
  const lease = await leaseOn(node, 30_000);
  const shortened = lease.extend(200);
  for (const until = performance.now() + 300; performance.now() < until;);
  await expect(shortened).rejects.toThrow(LockLostError);
  expect(lease.signal.aborted).toBe(true);
  await lease.end('release');
});

it('is not lost any more once it has ended, though an extension is answered after that', async () => {
  const node = new DeafNode();
  const lease = await leaseOn(node, 30_000);
  const onAbort = vi.fn<(reason: Error) => void>();
  lease.onAbort = onAbort;
  const shortened = lease.extend(200);
  const ended = lease.end('settle');
  for (const until = performance.now() + 300; performance.now() < until;);
  await expect(shortened).rejects.toThrow(LockLostError);
  await ended;
  expect(onAbort).not.toHaveBeenCalled();
});

it('asks for one extension after the other: the answer to a longer ttl does not undo a shorter one', async () => {
  const node = new DeafNode();
  const lease = await leaseOn(node, 30_000);
  const longer = lease.extend(30_000);
  const shorter = lease.extend(500);
  await longer;
  node.isDeaf = true;
  await expect(shorter).rejects.toThrow(LockLostError);
  expect(lease.expiresAt.getTime()).toBeLessThan(Date.now() + 500);
  await lease.end('release');
});

it('sends no extension any more that was waiting when the run ended: it would take the lock again', async () => {
  const node = new DeafNode();
  const lease = await leaseOn(node, 30_000);
  const first = lease.extend();
  const waiting = lease.extend();
  await lease.end('settle');
  await first.catch(() => {});
  await expect(waiting).rejects.toThrow('it has been released');
  expect(await node.claim(CLAIM, 'the next', 1000)).toEqual({ kind: 'granted' });
});
