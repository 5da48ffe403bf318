import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockLostError, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServer, useServers } from '../module/redis.js';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(() => {
  process.off('unhandledRejection', note);
  if (unhandled.length > 0) throw new Error(`Rejections that nobody handled: ${unhandled.splice(0).join()}`);
});

describe('a lease', () => {
  const server = useServer();

  it('holds through a run of several ttls, with the same token, and far from its end', async () => {
    const client = clientOf(server.it);
    const redlock = (await start({ redlock: { nodes: server.it.url, ttl: '3s' } })).get(RedlockService);
    const [left, tokens]: [number[], Set<string | null>] = [[], new Set()];
    await redlock.run('report', async () => {
      for (const end = performance.now() + 7000; performance.now() < end; await pause(50)) {
        left.push(await client.pttl('JOB_LOCKER_report'));
        tokens.add(await client.get('JOB_LOCKER_report'));
      }
    });
    expect(tokens.size).toBe(1);
    // A third of the ttl may have gone by; the rest is for a busy machine.
    expect(Math.min(...left)).toBeGreaterThan(1000);
    expect(await client.exists('JOB_LOCKER_report')).toBe(0);
  });
});

/** Such a server goes on to count the keys down and to answer reads, and refuses every write. */
function refuseWrites(client: Redis): Promise<unknown> {
  return client.replicaof('127.0.0.1', 1);
}

describe('a lease that a majority of the nodes does not renew any more', () => {
  const servers = useServers(3);
  let clients: Redis[];
  beforeEach(async () => {
    clients = servers.map((server) => clientOf(server));
    for (const client of clients) await client.flushall();
  });

  // The signal comes a hundredth of the ttl, and a little, before the end: a busy machine may be later than that once.
  it('aborts the signal before the key ends on any node', { retry: 2 }, async () => {
    const logger = new RecordingLogger();
    const options = { nodes: servers.map(({ url }) => url), ttl: '6s' as const };
    const redlock = (await start({ redlock: options, logger })).get(RedlockService);
    let left: Promise<number[]> | undefined;
    try {
      const outcome = await redlock.run('report', async ({ signal }) => {
        signal.addEventListener('abort', () => {
          left = Promise.all(clients.map((client) => client.pttl('JOB_LOCKER_report')));
        });
        await refuseWrites(clients[0]!);
        await refuseWrites(clients[1]!);
        await pause(20_000, undefined, { signal }).catch(() => {});
        return signal.reason as unknown;
      });
      expect(outcome).toEqual({ ran: true, value: expect.any(LockLostError) });
      for (const milliseconds of (await left) ?? [Number.NaN]) expect(milliseconds).toBeGreaterThan(0);
      // Not much too early either: the refused nodes had a good part of the ttl left, as it was never renewed there.
      expect((await left)![0]).toBeLessThan(1000);
      expect(logger.at('warn').filter((warning) => warning.includes('is lost'))).toHaveLength(1);
    } finally {
      for (const client of clients) await client.replicaof('NO', 'ONE');
    }
  });

  it('is kept by the majority that is left', async () => {
    const options = { nodes: servers.map(({ url }) => url), ttl: '1500ms' as const };
    const redlock = (await start({ redlock: options })).get(RedlockService);
    servers[0]!.pause();
    try {
      const outcome = await redlock.run('report', async ({ signal }) => {
        await pause(3500);
        return signal.aborted;
      });
      expect(outcome).toEqual({ ran: true, value: false });
    } finally {
      servers[0]!.resume();
    }
  });
});
