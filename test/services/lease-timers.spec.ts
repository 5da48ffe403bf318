import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LockLostError, MemoryNode } from '../../src/index.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { type Grant, Quorum } from '../../src/nodes/quorum.js';
import { Lease } from '../../src/services/lease.js';

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
  const grant = await new Quorum([node]).vote(CLAIM, ttl);
  return new Lease(grant as Grant, { name: 'report', ttl, maxRuntime: undefined });
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
