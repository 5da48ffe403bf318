import { describe, expect, it } from 'vitest';
import { close, startFleet } from '../module/application.js';
import { useServers } from '../module/redis.js';
import { afterTick, Jobs, PERIOD, runs } from './every-five-seconds.js';

describe.each([
  ['one node', 1],
  ['three nodes', 3],
])('a tick that falls into a full stop of the fleet is made up for, on %s', (_what, count) => {
  const servers = useServers(count);

  it('as soon as the first instance is back', { timeout: 90_000 }, async () => {
    const parts = {
      redlock: { nodes: servers.map(({ url }) => url) },
      providers: [Jobs],
    };
    const apps = await startFleet(3, parts);
    // A tick may have been due during the start.
    runs.length = 0;
    const first = await afterTick(2500);
    for (const app of apps) await close(app);
    await afterTick(500);
    expect(runs).toHaveLength(1);
    const begin = Date.now();
    await startFleet(3, parts);
    await expect.poll(() => runs.length, { timeout: 5000, interval: 20 }).toBeGreaterThan(1);
    expect(runs[1]).toMatchObject({ tick: first + PERIOD });
    expect((runs[1]?.at ?? 0) - begin).toBeLessThan(2000);
    await afterTick(1000);
    expect(runs.map(({ tick }) => tick)).toEqual([first, first + PERIOD, first + 2 * PERIOD]);
  });
});
