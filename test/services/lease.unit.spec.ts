import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sleep } from '../../src/clock.js';
import { type CurrentRun, LockLostError, MemoryNode, RedlockService } from '../../src/index.js';
import type { Claim } from '../../src/nodes/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

const TTL = 1500;

const listenTwentyTimes = ({ signal }: CurrentRun): void => {
  for (let count = 0; count < 20; count++) signal.addEventListener('abort', () => count);
};

let clock: ManualClock;
let node: CountingNode;
beforeEach(() => {
  clock = new ManualClock();
  node = new CountingNode(clock.now);
});

afterEach(() => void vi.restoreAllMocks());

/** A node that counts the extensions, keeps the `ttl` of the latest, and takes `delay` milliseconds for each. */
class CountingNode extends MemoryNode {
  extensions = 0;
  delay = 0;
  ttl = 0;

  override async extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    this.extensions++;
    this.ttl = ttl;
    if (this.delay > 0) await sleep(clock, this.delay);
    return super.extend(claim, token, ttl);
  }
}

async function newService(logger = new RecordingLogger()): Promise<RedlockService> {
  return (await start({ redlock: { nodes: node, ttl: TTL }, logger, clock })).get(RedlockService);
}

describe('the lease of a run', () => {
  it('is renewed every ttl / 3 until the run is over', async () => {
    const redlock = await newService();
    await clock.until(redlock.run('report', () => sleep(clock, 2800)));
    expect(node.extensions).toBe(5);
    await clock.advance(10 * TTL);
    expect(node.extensions).toBe(5);
  });

  it('has a signal that many operations may listen to without a warning', async () => {
    const redlock = await newService();
    const warnings: string[] = [];
    const note = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', note);
    await clock.until(redlock.run('report', listenTwentyTimes));
    await new Promise((resolve) => void setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('is lost if it is renewed too late, and the late answers do no harm', async () => {
    const logger = new RecordingLogger();
    const redlock = await newService(logger);
    const lost: number[] = [];
    redlock.on('aborted', () => lost.push(clock.elapsed()));
    node.delay = 2 * TTL;
    const outcome = redlock.run('report', async ({ signal }) => {
      await sleep(clock, 10_000, signal);
      await sleep(clock, 2500);
      return signal.reason as unknown;
    });
    expect(await clock.until(outcome)).toEqual({ ran: true, value: expect.any(LockLostError) });
    // One per cent and two milliseconds before the lock expires on the node.
    expect(lost).toEqual([TTL * 0.99 - 2].map(Math.ceil));
    expect(logger.at('error')).toEqual([]);
  });
});

it('a run that has ended is not aborted while its settle is outstanding', async () => {
  // The time of a shutdown is real.
  vi.spyOn(node, 'settle').mockImplementation(async (...args) => {
    await pause(100);
    return MemoryNode.prototype.settle.apply(node, args);
  });
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes: node, shutdownTimeout: 1 }, logger, clock });
  const redlock = app.get(RedlockService);
  const events: string[] = [];
  for (const event of ['finished', 'aborted'] as const) redlock.on(event, () => events.push(event));
  void redlock.run('report', () => 'done');
  await expect.poll(() => events).toEqual(['finished']);
  await app.close();
  expect(events).toEqual(['finished']);
  expect(logger.at('warn').join()).not.toContain('was not over');
});

describe('the lease of a lock', () => {
  it('keeps a shorter ttl although a renewal was due before that was answered', async () => {
    const redlock = await newService();
    const lock = (await clock.until(redlock.lock('shared', { ttl: 30_000 })))!;
    node.delay = 100;
    await clock.advance(9650);
    await clock.until(lock.extend(TTL));
    await clock.advance(150);
    expect(node.extensions).toBe(2);
    expect(node.ttl).toBe(TTL);
    await lock.release();
  });

  it('that was lost cannot be extended', async () => {
    const lock = await (await newService()).lock('report');
    node.delay = 60_000;
    await clock.advance(TTL);
    expect(lock?.signal.reason).toBeInstanceOf(LockLostError);
    await expect(lock?.extend()).rejects.toBe(lock?.signal.reason);
    await lock?.release();
  });

  it('that was extended with a longer ttl is renewed later', async () => {
    const lock = await (await newService()).lock('report');
    await lock?.extend('60s');
    await clock.advance(19_000);
    expect(node.extensions).toBe(1);
    await clock.advance(1000);
    expect(node.extensions).toBe(2);
    expect(lock?.signal.aborted).toBe(false);
    await lock?.release();
  });
});
