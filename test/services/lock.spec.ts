import { setTimeout as pause } from 'node:timers/promises';
import Redlock5 from 'redlock';
import Redlock4 from 'redlock4';
import { beforeEach, describe, expect, it } from 'vitest';
import { LockLostError, MemoryNode, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServers } from '../module/redis.js';

const servers = useServers(3);
const nodes = (): string[] => servers.map(({ url }) => url);
const KEY = 'JOB_LOCKER_report';

beforeEach(async () => {
  for (const server of servers) await clientOf(server).flushall();
});

async function newService(): Promise<RedlockService> {
  return (await start({ redlock: { nodes: nodes(), shutdownTimeout: '100ms' } })).get(RedlockService);
}

describe('a lock', () => {
  it('is held by one at a time, and then by the next', async () => {
    const [one, other] = [await newService(), await newService()];
    const lock = await one.lock('report');
    expect(lock?.name).toBe('report');
    expect(await other.lock('report')).toBeNull();
    expect(await one.lock('report')).toBeNull();
    const another = await other.lock('another');
    expect(another).not.toBeNull();
    await lock?.release();
    const next = await other.lock('report');
    expect(next).not.toBeNull();
    await another?.release();
    await next?.release();
  });

  it('is waited for as long as is asked', async () => {
    const [one, other] = [await newService(), await newService()];
    const lock = await one.lock('report');
    const begin = performance.now();
    expect(await other.lock('report', { wait: 300 })).toBeNull();
    expect(performance.now() - begin).toBeGreaterThanOrEqual(295);
    const waiting = other.lock('report', { wait: '20s' });
    await pause(200);
    await lock?.release();
    const next = await waiting;
    expect(next).not.toBeNull();
    await next?.release();
  });

  it('refuses an option that it does not have', async () => {
    const redlock = await newService();
    await expect(redlock.lock('report', { wate: 300 } as object)).rejects.toThrow(
      'lock(): unknown option "wate" (known options: ttl, wait)',
    );
  });

  it('can be printed, and taken apart', async () => {
    const lock = await (await newService()).lock('report');
    expect(JSON.stringify(lock)).toBe('{"name":"report"}');
    const parts: Record<'extend' | 'release' | typeof Symbol.asyncDispose, () => PromiseLike<void>> = lock!;
    const { extend, [Symbol.asyncDispose]: dispose } = parts;
    await extend();
    await dispose();
    expect(await clientOf(servers[0]!).exists(KEY)).toBe(0);
  });

  it('is released at the end of its scope, with await using', async () => {
    const redlock = await newService();
    const client = clientOf(servers[0]!);
    {
      await using lock = await redlock.lock('report');
      expect(lock).not.toBeNull();
      expect(await client.exists(KEY)).toBe(1);
    }
    expect(await client.exists(KEY)).toBe(0);
  });

  it('may be released twice, and leaves the lock of its next holder alone', async () => {
    const redlock = await newService();
    const lock = await redlock.lock('report');
    await lock?.release();
    const next = await redlock.lock('report');
    await lock?.release();
    await lock?.[Symbol.asyncDispose]();
    expect(await clientOf(servers[0]!).exists(KEY)).toBe(1);
    await next?.release();
  });

  it('has a lease of the ttl that was asked for, and another one after extend', async () => {
    const redlock = await newService();
    const client = clientOf(servers[0]!);
    const lock = await redlock.lock('report', { ttl: '40s' });
    expect(await client.pttl(KEY)).toBeGreaterThan(35_000);
    expect(await client.pttl(KEY)).toBeLessThanOrEqual(40_000);
    expect(lock!.expiresAt.getTime() - Date.now()).toBeGreaterThan(35_000);
    expect(lock!.expiresAt.getTime() - Date.now()).toBeLessThanOrEqual(40_000);
    await lock?.extend('2m');
    await expect(lock?.extend('soon' as never)).rejects.toThrow('extend(): ttl must be');
    expect(await client.pttl(KEY)).toBeGreaterThan(110_000);
    expect(lock!.expiresAt.getTime() - Date.now()).toBeGreaterThan(110_000);
    await lock?.release();
  });

  it('that has been released, or taken away, cannot be extended', async () => {
    const redlock = await newService();
    const lock = await redlock.lock('report');
    for (const server of servers) await clientOf(server).set(KEY, 'somebody else');
    await expect(lock?.extend()).rejects.toThrow(LockLostError);
    await lock?.release();
    await expect(lock?.extend()).rejects.toThrow('"report" is lost: it has been released');
    expect(await clientOf(servers[0]!).get(KEY)).toBe('somebody else');
  });

  it('and a run of the same name exclude each other', async () => {
    const [one, other] = [await newService(), await newService()];
    const lock = await one.lock('report');
    expect(await other.run('report', () => 1)).toEqual({ ran: false, reason: 'overlap' });
    await lock?.release();
    const outcome = await other.run('report', async () => one.lock('report'));
    expect(outcome).toEqual({ ran: true, value: null });
  });

  it('that cannot be released is a warning, and not an error', async () => {
    class Broken extends MemoryNode {
      override release(): Promise<boolean> {
        return Promise.reject(new Error('OUT OF ORDER'));
      }
    }
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: new Broken() }, logger });
    const lock = await app.get(RedlockService).lock('report');
    await lock?.release();
    await lock?.release();
    expect(logger.at('warn')).toEqual([
      expect.stringMatching(/^Node memory:\w+ cannot vote: OUT OF ORDER/),
      expect.stringContaining('"report" could not be released'),
    ]);
    expect(logger.at('error')).toEqual([]);
  });

  it('that is gone when it is released is a warning of its own, once an hour', async () => {
    class Forgetful extends MemoryNode {
      override release(): Promise<boolean> {
        return Promise.resolve(false);
      }
    }
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: new Forgetful() }, logger });
    for (let times = 0; times < 2; times++) await (await app.get(RedlockService).lock('report'))?.release();
    expect(logger.at('warn')).toEqual([
      expect.stringMatching(
        /^The lock of "report" was already gone when it was released: .*\(logged once an hour\)/,
      ),
    ]);
  });
});

/** Takes the lock of a key, and resolves to what gives it back; rejects where somebody else holds it. */
type Take = () => Promise<() => Promise<unknown>>;

const OTHERS: [what: string, connect: () => Take][] = [
  [
    'redlock 5',
    () => {
      const redlock = new Redlock5(servers.map((server) => clientOf(server)) as never, { retryCount: 0 });
      return async () => {
        const lock = await redlock.acquire([KEY], 10_000);
        return () => lock.release();
      };
    },
  ],
  [
    'redlock 4, as in the recipe',
    () => {
      const redlock = new Redlock4(
        servers.map((server) => clientOf(server)),
        { retryCount: 0 },
      );
      return async () => {
        const lock = await redlock.lock(KEY, 10_000);
        return () => lock.unlock();
      };
    },
  ],
];

describe.each(OTHERS)('a client of %s', (_what, connect) => {
  it('keeps our locks and runs out while it holds the key', async () => {
    const redlock = await newService();
    const giveBack = await connect()();
    expect(await redlock.lock('report')).toBeNull();
    expect(await redlock.run('report', () => 1)).toEqual({ ran: false, reason: 'overlap' });
    await giveBack();
    expect(await redlock.run('report', () => 1)).toEqual({ ran: true, value: 1 });
  });

  it('is kept out while we hold the lock, or run', async () => {
    const redlock = await newService();
    const take = connect();
    const lock = await redlock.lock('report');
    await expect(take()).rejects.toThrow(/quorum|exceeded/i);
    await lock?.release();
    await redlock.run('report', () => expect(take()).rejects.toThrow(/quorum|exceeded/i));
    await (
      await take()
    )();
  });
});
