import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeEntries } from '../../src/options/nodes-option.js';
import type { Claim, LockNode } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { NodeUnreachableError, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';
import { claimOf, LogSpy, newName, timed } from './support.js';

const NODE_TIMEOUT = 100;
const TTL = 30_000;
const never = (): Promise<never> => new Promise(() => {});

/** A node as the module uses it, around a store of the application. */
function around(own: LockNode): LockNode {
  const node = nodeEntries(own)[0]?.create({ nodeTimeout: NODE_TIMEOUT, connectionName: 'test' });
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
    look: never,
    pause: never,
    register: never,
    registered: never,
    open: () => Promise.resolve({ warnings: [] }),
    close: never,
  };
}

describe('a node of the application that never answers', () => {
  it.each(['claim', 'extend', 'settle', 'release'] as const)(
    'is answered for within nodeTimeout: %s',
    async (what) => {
      const begin = performance.now();
      const [node, claim] = [around(store()), claimOf(newName())];
      const answer =
        what === 'claim' || what === 'extend' ? node[what](claim, 'a', TTL) : node[what](claim, 'a');
      await expect(answer).rejects.toThrow('Node store:1: no answer within 100 ms');
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

  it('is not logged for what it rejects when it votes again', async () => {
    const memory = new MemoryNode();
    const node = around(memory);
    vi.spyOn(memory, 'claim').mockImplementationOnce(async () => {
      await pause(2 * NODE_TIMEOUT);
      throw new Error('connection reset');
    });
    const hung = node.claim(claimOf(newName()), 'a', TTL);
    await expect(hung).rejects.toThrow('no answer');
    await node.claim(claimOf(newName()), 'b', TTL);
    await pause(2 * NODE_TIMEOUT);
    expect(log.lines).toEqual([]);
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
    vi.spyOn(memory, 'settle').mockImplementationOnce(never);
    await expect(node.settle(tick, 'a')).rejects.toThrow('no answer');
    await node.claim(claimOf(newName()), 'b', TTL);
    await vi.waitFor(async () =>
      expect(await memory.claim(tick, 'c', TTL)).toMatchObject({ kind: 'settled' }),
    );
  });

  it.each(['settle', 'release'] as const)('that rejects a %s gets it again by itself', async (how) => {
    const memory = new MemoryNode();
    const node = around(memory);
    const tick = claimOf(newName(), Date.now());
    await node.claim(tick, 'a', TTL);
    vi.spyOn(memory, how)
      .mockRejectedValueOnce(new Error('connection reset'))
      .mockRejectedValueOnce(new Error('connection reset'));
    await expect(node[how](tick, 'a')).rejects.toThrow('connection reset');
    const left = how === 'settle' ? 'settled' : 'granted';
    await vi.waitFor(async () => expect(await memory.claim(tick, 'c', TTL)).toMatchObject({ kind: left }));
  });

  it('that rejects a settle gets it again before hundreds of releases that it rejects slowly', async () => {
    const memory = new MemoryNode();
    const node = around(memory);
    const tick = claimOf(newName(), Date.now());
    await node.claim(tick, 'a', TTL);
    vi.spyOn(memory, 'release').mockImplementation(async () => {
      await pause(NODE_TIMEOUT / 2);
      throw new Error('connection reset');
    });
    const refused = Array.from({ length: 300 }, (_, each) => node.release(claimOf(newName()), `b${each}`));
    await Promise.allSettled(refused);
    vi.spyOn(memory, 'settle').mockRejectedValueOnce(new Error('no space left'));
    await expect(node.settle(tick, 'a')).rejects.toThrow('no space left');
    const settled = async () => expect(await memory.claim(tick, 'c', TTL)).toMatchObject({ kind: 'settled' });
    await vi.waitFor(settled, 10_000);
  });

  it('that votes, and rejects each settle, is logged only when a run ends', async () => {
    const memory = new MemoryNode();
    const node = around(memory);
    const tick = claimOf(newName(), Date.now());
    await node.claim(tick, 'a', TTL);
    const settle = vi.spyOn(memory, 'settle').mockRejectedValue(new Error('no space left'));
    await expect(node.settle(tick, 'a')).rejects.toThrow('no space left');
    for (let sent = 1; sent <= 3; sent++) {
      await vi.waitFor(() => expect(settle).toHaveBeenCalledTimes(sent));
      await node.claim(claimOf(newName()), 'b', TTL);
    }
    expect(log.lines).toEqual([
      expect.stringContaining('cannot vote: no space left'),
      expect.stringContaining('votes again'),
    ]);
  });

  const keys = { lock: '', last: '', begun: '', records: '', pause: '' };
  const register = { ends: 'ends', entries: 'entries' };
  const questions = {
    look: (node: LockNode) => node.look(keys, 1),
    pause: (node: LockNode) => node.pause('pause'),
    register: (node: LockNode) => node.register(register, 'one', TTL, 'card'),
    registered: (node: LockNode) => node.registered(register),
    open: (node: LockNode) => node.open(),
  };

  it.each(Object.entries(questions))(
    'that lost a settle gets it again when it answers %s',
    async (_, ask) => {
      const memory = new MemoryNode();
      const node = around(memory);
      const tick = claimOf(newName(), Date.now());
      await node.claim(tick, 'a', TTL);
      vi.spyOn(memory, 'settle').mockImplementationOnce(never);
      await expect(node.settle(tick, 'a')).rejects.toThrow('no answer');
      await ask(node);
      expect(await memory.claim(tick, 'c', TTL)).toMatchObject({ kind: 'settled' });
    },
  );

  it.each(Object.entries(questions))('that answers %s, but no claim, is slow', async (_, ask) => {
    const memory = new MemoryNode();
    const node = around(memory);
    vi.spyOn(memory, 'claim').mockImplementation(never);
    const answer = node.claim(claimOf(newName()), 'a', TTL).catch((error: unknown) => error);
    await pause(NODE_TIMEOUT / 2);
    await ask(node);
    expect(await answer).toMatchObject({ scope: 'slow' });
  });

  it('that recovers with an answer of which a blocked event loop learns late keeps what it has granted', async () => {
    const memory = new MemoryNode();
    const node = around(memory);
    const claim = claimOf(newName());
    const asked = vi.spyOn(memory, 'claim').mockRejectedValueOnce(new Error('connection reset'));
    await expect(node.claim(claimOf(newName()), 'b', TTL)).rejects.toThrow('connection reset');
    asked.mockRestore();
    vi.spyOn(memory, 'claim').mockImplementationOnce(async (...what) => {
      await pause(10);
      return memory.claim(...what);
    });
    const vote = node.claim(claim, 'a', TTL);
    const end = performance.now() + 1.5 * NODE_TIMEOUT;
    while (performance.now() < end);
    expect(await vote).toEqual({ kind: 'granted' });
    expect(await memory.claim(claim, 'c', TTL)).toMatchObject({ kind: 'overlap', holder: 'a' });
  });

  it.each([
    { way: 'extended', how: (node: LockNode, tick: Claim) => node.extend(tick, 'a', TTL), left: 'elsewhere' },
    { way: 'settled', how: (node: LockNode, tick: Claim) => node.settle(tick, 'a'), left: 'settled' },
  ])('that grants late keeps a claim that has been $way meanwhile', async ({ how, left }) => {
    const memory = new MemoryNode();
    const node = around(memory);
    const tick = claimOf(newName(), Date.now());
    vi.spyOn(memory, 'claim').mockImplementationOnce(async (...what) => {
      const vote = memory.claim(...what);
      await pause(2 * NODE_TIMEOUT);
      return vote;
    });
    const release = vi.spyOn(memory, 'release');
    await expect(node.claim(tick, 'a', TTL)).rejects.toThrow('no answer');
    // A majority of other nodes has granted it.
    expect(await how(node, tick)).toBe(true);
    await pause(2 * NODE_TIMEOUT);
    expect(await memory.claim(tick, 'b', TTL)).toMatchObject({ kind: left });
    expect(release).not.toHaveBeenCalled();
  });

  it('that answers a release only after the claim has been extended again does not release it once more', async () => {
    const memory = new MemoryNode();
    const node = around(memory);
    const claim = claimOf(newName());
    await memory.claim(claim, 'a', TTL);
    const [release, extend] = [memory.release.bind(memory), memory.extend.bind(memory)];
    vi.spyOn(memory, 'release').mockImplementation(async (...what) => {
      const isHeld = release(...what);
      await pause(20);
      return isHeld;
    });
    vi.spyOn(memory, 'extend').mockImplementation(async (...what) => {
      const isHeld = extend(...what);
      await pause(40);
      return isHeld;
    });
    const released = node.release(claim, 'a');
    expect(await node.extend(claim, 'a', TTL)).toBe(true);
    await released;
    await pause(50);
    expect(await memory.claim(claim, 'b', TTL)).toMatchObject({ kind: 'overlap', holder: 'a' });
  });

  it('that carries out an extension after the end of the claim is told of the end once more', async () => {
    const memory = new MemoryNode();
    const node = around(memory);
    const claim = claimOf(newName());
    await node.claim(claim, 'a', TTL);
    const extend = memory.extend.bind(memory);
    vi.spyOn(memory, 'extend').mockImplementation(async (...what) => {
      await pause(20);
      return extend(...what);
    });
    const extended = node.extend(claim, 'a', TTL);
    expect(await node.release(claim, 'a')).toBe(true);
    await extended;
    await vi.waitFor(async () =>
      expect(await memory.claim(claim, 'b', TTL)).toMatchObject({ kind: 'granted' }),
    );
  });

  it.each([
    ['an error', new Error('no connection'), ': no connection'],
    ['an error with a password', new Error('postgres://me:secret@db is gone'), 'postgres://*** is gone'],
    ['an error that cannot be read', unreadable(), 'an error that cannot be read'],
    ['an object that cannot be read', revoked(), 'an error that cannot be read'],
  ])('that throws %s instead of rejecting is a node that cannot answer', async (_what, thrown, shown) => {
    const memory = new MemoryNode();
    memory.claim = () => {
      throw thrown;
    };
    const claimed = around(memory).claim(claimOf(newName()), 'a', TTL);
    await expect(claimed).rejects.toThrow(NodeUnreachableError);
    await expect(claimed).rejects.toThrow(shown);
    await expect(claimed).rejects.not.toThrow('secret');
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

function unreadable(): Error {
  return Object.defineProperty(new Error(), 'message', {
    get: () => {
      throw new Error('no message');
    },
  });
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
