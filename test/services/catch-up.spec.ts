import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { ONCE_A_YEAR, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServer, useServers } from '../module/redis.js';
import { callsOf } from '../nodes/support.js';
import { afterTick, Jobs, PERIOD, runs } from './every-five-seconds.js';

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
