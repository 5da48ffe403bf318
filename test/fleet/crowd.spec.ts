import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findEngine, type RedisServer, startServers } from '../engine/redis-server.js';
import { Fleet } from './fleet.js';
import type { JobSpec } from './instance.js';
import { monotonicNow } from './log.js';
import { verdicts } from './observe.js';

/**
 * So many processes with so many jobs, which claim at the same millisecond, on five nodes: 300 ticks. The embedded
 * engine is far slower, and answers so many claims too late: it gets a smaller crowd, for longer.
 */
const [crowd, jobCount, watched] = findEngine().kind === 'native' ? [30, 30, 12_500] : [10, 5, 64_500];

const jobs: readonly JobSpec[] = Array.from({ length: jobCount }, (_each, index) => ({
  name: `job-${index}`,
  when: '* * * * * *',
  work: 1,
}));

let servers: readonly RedisServer[] = [];
beforeAll(async () => void (servers = await startServers(5)));
afterAll(() => Promise.all(servers.map((server) => server.stop())));

it(`runs each tick of ${jobCount} jobs once, of ${crowd} processes`, { timeout: 240_000 }, async () => {
  const nodes = servers.map(({ url }) => url);
  const clocks = Array.from({ length: crowd }, () => 0);
  const fleet = await Fleet.start({ clocks, module: { nodes }, jobs, startingAtOnce: 4 });
  try {
    const from = monotonicNow() + 1500;
    await pause(1500 + watched);
    const until = monotonicNow() - 1500;
    await pause(1000);
    const judged = [...(await verdicts({ fleet, window: { from, until }, nodeCount: 5 })).values()];

    expect(judged.flatMap(({ violations }) => violations)).toEqual([]);
    const ticks = judged.reduce((sum, verdict) => sum + verdict.ticks, 0);
    expect(ticks).toBeGreaterThanOrEqual(300);
    expect(judged.filter(({ unrun }) => unrun > 0)).toEqual([]);
  } finally {
    await fleet.stop();
  }
});
