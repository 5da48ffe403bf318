import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createNodes } from '../../src/nodes/create-nodes.js';
import type { LockNode } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';
import { claimOf, LogSpy, newName, timed } from './support.js';

const NODE_TIMEOUT = 100;
const TTL = 30_000;
const never = (): Promise<never> => new Promise(() => {});

/** A node as the module uses it, around a store of the application. */
function around(own: LockNode): LockNode {
  const [node] = createNodes([own], { nodeTimeout: NODE_TIMEOUT, connectionName: 'test' });
  if (!node) throw new Error('There must be one node');
  return node;
}

let log: LogSpy;
beforeEach(() => void (log = new LogSpy()));
afterEach(() => {
  log.restore();
  vi.restoreAllMocks();
});

/** A node that never answers. */
function store(address = 'store:1'): LockNode {
  return {
    address,
    claim: never,
    extend: never,
    settle: never,
    release: never,
    open: () => Promise.resolve({ warnings: [] }),
    close: never,
  };
}

describe('a node of the application that never answers', () => {
  it.each(['claim', 'extend', 'settle', 'release'] as const)(
    'is answered for within nodeTimeout: %s',
    async (what) => {
      const begin = performance.now();
      await expect(around(store())[what](claimOf(newName()), 'a', TTL)).rejects.toThrow(
        'Node store:1: no answer within 100 ms',
      );
      const took = performance.now() - begin;
      expect(took).toBeGreaterThanOrEqual(NODE_TIMEOUT - 1);
    },
  );

  it('is logged once, and once more when it answers', async () => {
    const memory = new MemoryNode();
    const flaky: LockNode = { ...store('flaky:1'), claim: (...what) => memory.claim(...what) };
    const claim = vi.spyOn(flaky, 'claim').mockImplementation(never);
    const node = around(flaky);
    for (let count = 0; count < 12; count++) {
      await node.claim(claimOf(newName()), 'a', TTL).catch(() => {});
    }
    claim.mockRestore();
    await node.claim(claimOf(newName()), 'a', TTL);
    expect(log.lines.filter((line) => line.includes('flaky:1'))).toEqual([
      'warn: Node flaky:1 cannot vote: no answer within 100 ms RedlockModule',
      'log: Node flaky:1 votes again RedlockModule',
    ]);
  });

  it('lets the application shut down', async () => {
    const app = await start({ redlock: { nodes: store(), nodeTimeout: NODE_TIMEOUT } });
    expect(await app.get(RedlockService).lock('lock')).toBeNull();
    const { took } = await timed(app.close());
    expect(took).toBeLessThan(3000);
  });
});

describe('a node of the application', () => {
  it('that grants late has its grant released', async () => {
    const memory = new MemoryNode();
    const claim = claimOf(newName());
    vi.spyOn(memory, 'claim').mockImplementationOnce(async (...what) => {
      await pause(2 * NODE_TIMEOUT);
      return memory.claim(...what);
    });
    await expect(around(memory).claim(claim, 'a', TTL)).rejects.toThrow('no answer');
    await pause(3 * NODE_TIMEOUT);
    expect(await memory.claim(claim, 'b', TTL)).toEqual({ kind: 'granted' });
  });

  it('that lost a settle gets it again when it answers', async () => {
    const memory = new MemoryNode();
    const node = around(memory);
    const tick = claimOf(newName(), Date.now());
    await node.claim(tick, 'a', TTL);
    vi.spyOn(memory, 'settle').mockRejectedValueOnce(new Error('connection reset'));
    await expect(node.settle(tick, 'a')).rejects.toThrow('connection reset');
    await pause(NODE_TIMEOUT + 10);
    await node.claim(claimOf(newName()), 'b', TTL);
    await vi.waitFor(async () =>
      expect(await memory.claim(tick, 'c', TTL)).toMatchObject({ kind: 'settled' }),
    );
  });

  it('that throws instead of rejecting is a node that cannot answer', async () => {
    const memory = new MemoryNode();
    vi.spyOn(memory, 'claim').mockImplementation(() => {
      throw new Error('no connection');
    });
    await expect(around(memory).claim(claimOf(newName()), 'a', TTL)).rejects.toThrow(
      `Node ${memory.address}: no connection`,
    );
  });
});

it('a start that hangs on a node of the application ends when the node may take no longer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const opened = around({ ...store(), open: never })
      .open()
      .catch(String);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await opened).toContain('it could not be opened within 30 s');
  } finally {
    vi.useRealTimers();
  }
});
