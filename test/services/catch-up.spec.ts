import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { close, ONCE_A_YEAR, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServer, useServers } from '../module/redis.js';
import { callsOf } from '../nodes/support.js';

const PERIOD = 5000;

interface Run {
  readonly tick: number;
  readonly at: number;
}

const runs: Run[] = [];

@Injectable()
class Jobs {
  constructor(private readonly redlock: RedlockService) {}

  @Cron('*/5 * * * * *')
  @Exclusive('report', { missed: 'once' })
  async report(): Promise<void> {
    runs.push({ tick: this.redlock.current()?.tick?.getTime() ?? 0, at: Date.now() });
    await pause(20);
  }
}

/** Waits until `milliseconds` after the next tick, or after the one that follows, if that is too soon. */
async function afterTick(milliseconds: number): Promise<number> {
  const tick = (Math.floor(Date.now() / PERIOD) + 1) * PERIOD;
  await pause(tick + milliseconds - Date.now());
  return tick;
}

describe.each([
  ['one node', 1],
  ['three nodes', 3],
])('a tick that falls into an outage of Redis is made up for, on %s', (_what, count) => {
  const servers = useServers(count);

  it(
    'within two seconds of its return, by one of three instances, before the next tick',
    { timeout: 90_000 },
    async () => {
      const redlock = { nodes: servers.map(({ url }) => url) };
      const apps = await startFleet(3, { redlock, providers: [Jobs] });
      // A tick may have been due during the start.
      runs.length = 0;
      const first = await afterTick(3500);
      expect(runs.map(({ tick }) => tick)).toEqual([first]);
      for (const server of servers) server.pause();
      await pause(3000);
      for (const server of servers) server.resume();
      const back = Date.now();
      await expect.poll(() => runs.length, { timeout: 4000, interval: 20 }).toBeGreaterThan(1);
      expect(runs[1]?.tick).toBe(first + PERIOD);
      expect((runs[1]?.at ?? 0) - back).toBeLessThan(2000);
      await afterTick(1000);
      expect(runs.map(({ tick }) => tick)).toEqual([first, first + PERIOD, first + 2 * PERIOD]);
      const history = await apps[0]!.get(RedlockService).history('report', { limit: 3 });
      expect(history.map(({ trigger }) => trigger)).toEqual(['schedule', 'catch-up', 'schedule']);
    },
  );

  it(
    'and so is one that falls into a full stop of the fleet, as soon as the first instance is back',
    { timeout: 90_000 },
    async () => {
      const parts = {
        redlock: { nodes: servers.map(({ url }) => url), keyPrefix: 'STOP' },
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
    },
  );
});

describe('a job whose records something else has written', () => {
  const server = useServer();

  @Injectable()
  class Yearly {
    @Cron(ONCE_A_YEAR)
    @Exclusive('yearly', { missed: 'once' })
    yearly(): void {}
  }

  it('is read again with the beats only, and the log says so', async () => {
    const client = clientOf(server.it);
    await client.set('{JOB_LOCKER_yearly}:runs', 'mine');
    const logger = new RecordingLogger();
    await startFleet(1, { redlock: { nodes: server.it.url }, providers: [Yearly], logger });
    await pause(3000);
    // At the start, and with the first beat: once if these come together. As a job whose answer was only late, it would be
    // read at least six times.
    const reads = (await callsOf(client)).get('lrange');
    expect(reads).toBeGreaterThanOrEqual(1);
    expect(reads).toBeLessThan(5);
    expect(logger.at('warn')).toContainEqual(
      expect.stringMatching(/Missed ticks of "yearly" cannot be looked for: .*WRONGTYPE/),
    );
  });
});
