import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createStore } from '../../src/acquire/create-store.js';
import type { Grant } from '../../src/acquire/outcome.js';
import type { ClaimedRun } from '../../src/acquire/token.js';
import { sleep } from '../../src/clock.js';
import { LockLostError, MemoryNode, RunTimeoutError } from '../../src/index.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { Lease } from '../../src/runs/lease.js';
import type { LeaseSettings } from '../../src/runs/lease-settings.js';
import { ManualClock } from '../../src/testing/manual-clock.js';

const CLAIM: Claim = { lock: 'JOB_LOCKER_report' };
const TTL = 30_000;
const RUN: ClaimedRun = { runId: 'run', trigger: 'call', calledAt: 0, tick: undefined };

let clock: ManualClock;
let node: DeafNode;
beforeEach(() => {
  clock = new ManualClock();
  node = new DeafNode(clock.now);
});

/** A node whose extensions take effect at once and are answered after 50 ms, unless the answers get lost. */
class DeafNode extends MemoryNode {
  isDeaf = false;

  override async extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    const isHeld = await super.extend(claim, token, ttl);
    await sleep(clock, 50);
    if (this.isDeaf) throw new Error('no answer');
    return isHeld;
  }
}

async function leaseOf(ttl: number, settings: Partial<LeaseSettings> = {}): Promise<Lease> {
  const grant = await createStore([node], clock).vote(CLAIM, ttl);
  return new Lease(
    grant as Grant,
    { name: 'report', ttl, maxRuntime: undefined, run: RUN, ...settings },
    clock,
  );
}

/** Whether another claim would be granted the lock now. */
async function isFree(): Promise<boolean> {
  const vote = await node.claim(CLAIM, 'the next', 1);
  return vote.kind === 'granted';
}

describe('a lease', () => {
  it('is renewed when a third of its ttl has passed, and again a third after each renewal', async () => {
    const renewals: number[] = [];
    const extend = node.extend.bind(node);
    vi.spyOn(node, 'extend').mockImplementation((...args) => {
      renewals.push(clock.elapsed());
      return extend(...args);
    });
    const lease = await leaseOf(TTL);
    await clock.advance(TTL);
    // Each comes two thirds of the ttl before `validUntil`, which is 302 ms less than the ttl after the last request.
    expect(renewals).toEqual([9698, 2 * 9698, 3 * 9698]);
    expect(await isFree()).toBe(false);
    expect(lease.signal.aborted).toBe(false);
    await lease.end('release');
    expect(await isFree()).toBe(true);
  });

  it('is renewed again a twentieth of its ttl after a renewal that failed', async () => {
    const extend = vi.spyOn(node, 'extend');
    const lease = await leaseOf(TTL);
    node.isDeaf = true;
    await clock.advance(TTL / 3 + 50);
    expect(extend).toHaveBeenCalledTimes(1);
    await clock.advance(TTL / 20);
    expect(extend).toHaveBeenCalledTimes(2);
    node.isDeaf = false;
    await clock.advance(10 * TTL);
    expect(lease.signal.aborted).toBe(false);
    await lease.end('release');
  });

  it('aborts before it ends on the node, if it cannot be renewed', async () => {
    const lease = await leaseOf(TTL);
    vi.spyOn(node, 'extend').mockRejectedValue(new Error('no answer'));
    const abortedAt = vi.fn<() => number>(() => clock.elapsed());
    lease.onAbort = abortedAt;
    await clock.advance(TTL);
    // One per cent and two milliseconds before the node drops the lock.
    expect(abortedAt).toHaveReturnedWith(TTL * 0.99 - 2);
    expect(lease.signal.reason).toBeInstanceOf(LockLostError);
    await lease.end('release');
  });

  it('aborts at its maxRuntime, and is not renewed after that', async () => {
    const lease = await leaseOf(TTL, { maxRuntime: 5000 });
    await clock.advance(4999);
    expect(lease.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(lease.signal.reason).toBeInstanceOf(RunTimeoutError);
    expect(await isFree()).toBe(false);
    await clock.advance(TTL);
    expect(await isFree()).toBe(true);
    await lease.end('release');
  });

  it('leaves no timer behind when it has ended', async () => {
    const extend = vi.spyOn(node, 'extend');
    const lease = await leaseOf(TTL, { maxRuntime: 5000 });
    const onAbort = vi.fn<(reason: Error) => void>();
    lease.onAbort = onAbort;
    await lease.end('settle');
    await clock.advance(10 * TTL);
    expect(extend).not.toHaveBeenCalled();
    expect(onAbort).not.toHaveBeenCalled();
  });

  it('aborts in time when an extension shortened it on the node and the answer was lost', async () => {
    const lease = await leaseOf(TTL);
    node.isDeaf = true;
    await expect(clock.until(lease.extend(500))).rejects.toThrow(LockLostError);
    await clock.advance(500 * 0.99 - 2 - clock.elapsed());
    expect(lease.signal.aborted).toBe(true);
    expect(await isFree()).toBe(false);
    await lease.end('release');
  });

  it('aborts without a renewal when the process stood still past its end', async () => {
    const extend = vi.spyOn(node, 'extend');
    const lease = await leaseOf(300);
    // Another claim may have had the lock meanwhile, and the node would extend it again.
    clock.freeze(400);
    const onAbort = vi.fn<(reason: Error) => void>();
    lease.onAbort = onAbort;
    await clock.advance(0);
    expect(onAbort).toHaveBeenCalledExactlyOnceWith(expect.any(LockLostError));
    expect(extend).not.toHaveBeenCalled();
    await lease.end('release');
  });

  it('knows that it has ended before any timer has fired', async () => {
    const lease = await leaseOf(300);
    clock.freeze(400);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toBeInstanceOf(LockLostError);
    await lease.end('release');
  });

  it('aborts when an extension is answered only after its end', async () => {
    const lease = await leaseOf(TTL);
    const shortened = lease.extend(200);
    clock.freeze(300);
    await expect(clock.until(shortened)).rejects.toThrow(LockLostError);
    expect(lease.signal.aborted).toBe(true);
    await lease.end('release');
  });

  it('is not lost once it has ended, even if an extension is answered after that', async () => {
    const lease = await leaseOf(TTL);
    const onAbort = vi.fn<(reason: Error) => void>();
    lease.onAbort = onAbort;
    const shortened = lease.extend(200);
    const ended = lease.end('settle');
    clock.freeze(300);
    await expect(clock.until(shortened)).rejects.toThrow(LockLostError);
    await ended;
    expect(onAbort).not.toHaveBeenCalled();
  });
});

it('extensions are sent one after another: the answer to a longer ttl does not undo a shorter one', async () => {
  const lease = await leaseOf(TTL);
  const longer = lease.extend(TTL);
  const shorter = lease.extend(500);
  await clock.until(longer);
  node.isDeaf = true;
  await expect(clock.until(shorter)).rejects.toThrow(LockLostError);
  expect(lease.expiresAt.getTime()).toBeLessThan(clock.now() + 500);
  await lease.end('release');
});

it('an extension that was waiting when the run ended is not sent: it would take the lock again', async () => {
  const lease = await leaseOf(TTL);
  const extensions = Promise.allSettled([lease.extend(), lease.extend()]);
  await lease.end('settle');
  const [, waiting] = await clock.until(extensions);
  expect(String('reason' in waiting && waiting.reason)).toContain('it has been released');
  expect(await isFree()).toBe(true);
});
