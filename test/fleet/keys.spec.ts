import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { systemClock } from '../../src/clock.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { nodeEntries } from '../../src/options/nodes-option.js';
import { createStore } from '../../src/acquire/create-store.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { FAKETIME_LIBRARY, forgetFakedProcesses } from './faketime.js';

/** How many times faster the clock of the server goes. */
const SPEED = 50;
const TICKS = 1000;

const canRun = FAKETIME_LIBRARY !== undefined && findEngine().kind === 'native';
let server: RedisServer;

beforeAll(async () => {
  if (!canRun) return;
  // libc's own malloc stands before the one that Redis brings, which libfaketime cannot bear.
  vi.stubEnv('LD_PRELOAD', `${FAKETIME_LIBRARY}:libc.so.6`);
  vi.stubEnv('FAKETIME', `+0 x${SPEED}`);
  server = await RedisServer.start();
  vi.unstubAllEnvs();
});

afterAll(async () => {
  if (!canRun) return;
  await server.stop();
  // Its guardian is faked, too, and is gone a moment later.
  await pause(200);
  forgetFakedProcesses();
});

it.runIf(canRun)(
  'leaves no more than the keys of the last minute after 1,000 ticks of a 1 s job',
  { timeout: 90_000 },
  async () => {
    const client = new Redis(server.url);
    const node = nodeEntries(server.url)[0]?.create({ nodeTimeout: 500, connectionName: 'test' });
    await node?.open();
    const acquirer = new Acquirer(createStore(node ? [node] : [], systemClock), 500, systemClock);
    const keys = new JobKeys('JOB_LOCKER', 'report');
    const { signal } = new AbortController();

    let claimed = 0;
    for (let last = 0; claimed < TICKS;) {
      const [seconds] = await client.time();
      const at = Number(seconds) * 1000;
      if (at === last) {
        await pause(1);
        continue;
      }
      last = at;
      const tick = {
        key: keys.tick(at),
        last: keys.last,
        at,
        keep: 60_000,
        recover: false,
      };
      const grant = await acquirer.acquire({ lock: keys.lock, tick }, 30_000, 0, signal);
      if (grant.kind === 'denied') throw new Error(`Lost the tick: ${grant.reason}`);
      await grant.settle();
      claimed++;
    }

    const found = await scan(client);
    expect(found.filter((key) => key.includes(':tick:')).length).toBeLessThanOrEqual(62);
    // The newest settled tick, and little else.
    expect(found.filter((key) => !key.includes(':tick:')).length).toBeLessThanOrEqual(3);
    expect(found.length).toBeGreaterThan(10);
    client.disconnect();
    await node?.close();
  },
);

async function scan(client: Redis): Promise<string[]> {
  const found: string[] = [];
  for await (const keys of client.scanStream({ count: 1000 })) found.push(...(keys as string[]));
  return [...new Set(found)];
}
