import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { RedisServer } from '../engine/redis-server.js';
import { byHand, close, fire, newYear, ONCE_A_YEAR, start, startFleet } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf } from './redis.js';

let server: RedisServer;
let client: Redis;
beforeEach(async () => {
  server = await RedisServer.start();
  client = clientOf(server);
});
afterEach(() => server.stop());

@Injectable()
class Jobs {
  work = 0;

  @Cron(ONCE_A_YEAR, byHand('report')) @Exclusive('report') async report(): Promise<void> {
    await pause(this.work);
  }

  @Cron(ONCE_A_YEAR, byHand('cleanup')) @Exclusive('cleanup') async cleanup(): Promise<void> {}

  @Exclusive('by hand') async byHand(): Promise<void> {}
}

const TICK = newYear().toISOString();
const waiting = ({ lines }: RecordingLogger): string[] =>
  lines.map(({ text }) => text).filter((line) => line.startsWith('Waiting'));
const about = (lines: readonly string[], name: string): string[] =>
  lines.filter((line) => line.includes(`"${name}"`));

it('says at start, in one line, what is guarded', async () => {
  const logger = new RecordingLogger();
  await start({
    redlock: { nodes: server.url, keyPrefix: 'SHOP', instanceId: 'worker-1' },
    providers: [Jobs],
    logger,
  });
  expect(logger.at('log').filter((line) => line.startsWith('Guarding'))).toEqual([
    expect.stringContaining(
      `Guarding 3 jobs ("report", "cleanup", "by hand") on 127.0.0.1:${server.port}, key prefix "SHOP", as instance "worker-1"`,
    ),
  ]);
});

it('says at shutdown what is waited for, and for how long, and nothing where nothing is', async () => {
  const logger = new RecordingLogger();
  const app = await start({
    redlock: { nodes: server.url, shutdownTimeout: '7s' },
    providers: [Jobs],
    logger,
  });
  app.get(Jobs).work = 300;
  const run = fire(app, 'report');
  await expect.poll(() => client.exists('JOB_LOCKER_report')).toBe(1);
  await close(app);
  await run;
  const idle = new RecordingLogger();
  await close(await start({ redlock: { nodes: server.url }, providers: [Jobs], logger: idle }));
  expect(waiting(logger)).toEqual([
    expect.stringContaining('Waiting up to 7000 ms for runs in progress: "report"'),
  ]);
  expect(waiting(idle)).toEqual([]);
});

describe('an outage', () => {
  it('names each job with its first tick and the cause, and when it is over, how many were not run', async () => {
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.url }, providers: [Jobs], logger });
    await server.kill();
    for (let times = 0; times < 3; times++) await fire(app, 'report');
    await fire(app, 'cleanup');
    await app.get(Jobs).byHand();
    expect(about(logger.at('warn'), 'report')).toEqual([
      expect.stringMatching(
        new RegExp(
          `^The tick of ${TICK} of "report" was not run by this instance: its lock could not be acquired\\. .*127`,
        ),
      ),
    ]);
    expect(about(logger.at('warn'), 'cleanup')).toHaveLength(1);
    expect(about(logger.at('warn'), 'by hand')).toEqual([expect.stringMatching(/^"by hand" was not run/)]);
    expect(logger.at('warn').filter((line) => line.startsWith('No lock can be acquired'))).toHaveLength(1);
    await server.restart();
    await expect
      .poll(() => app.get(RedlockService).run('probe', () => 1), { timeout: 5000 })
      .toMatchObject({ ran: true });
    expect(logger.at('log').filter((line) => line.startsWith('Locks can be acquired again'))).toEqual([
      expect.stringMatching(
        /^Locks can be acquired again, after [\d.]+ s\. Not run by this instance meanwhile: "report" \(3\), "cleanup" \(1\), "by hand" \(1\)/,
      ),
    ]);
  });

  it('is over for an instance that loses too, and told again the next time', async () => {
    const logger = new RecordingLogger();
    const apps = await startFleet(2, { redlock: { nodes: server.url }, providers: [Jobs], logger });
    for (let outages = 1; outages <= 2; outages++) {
      await server.kill();
      for (const app of apps) await fire(app, 'report');
      await server.restart();
      await pause(1500);
      // Both are answered, and granted nothing.
      await clientOf(server).set('JOB_LOCKER_report', 'somebody', 'PX', 2000);
      for (const app of apps) await fire(app, 'report');
      expect(logger.at('warn').filter((line) => line.startsWith('No lock can be acquired'))).toHaveLength(
        2 * outages,
      );
      expect(logger.at('log').filter((line) => line.startsWith('Locks can be acquired again'))).toHaveLength(
        2 * outages,
      );
      await clientOf(server).del('JOB_LOCKER_report');
    }
  });

  it('has the same words at start', async () => {
    await server.kill();
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.url }, providers: [Jobs], logger });
    await fire(app, 'report');
    expect(logger.at('warn').filter((line) => /^No lock|its lock could not/.test(line))).toEqual([
      expect.stringMatching(
        /^No lock can be acquired: jobs are skipped, or do what their onStoreDown says\. .*127/,
      ),
      expect.stringMatching(/^The tick of /),
    ]);
  });

  it('names twenty jobs at most, and counts the others', async () => {
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.url }, providers: [Jobs], logger });
    await server.kill();
    const redlock = app.get(RedlockService);
    await Promise.all(Array.from({ length: 50 }, (_, index) => redlock.run(`tenant ${index}`, () => 1)));
    expect(logger.at('warn').filter((line) => line.includes('was not run'))).toHaveLength(20);
    expect(logger.at('warn').filter((line) => line.startsWith('Other jobs'))).toHaveLength(1);
    await server.restart();
    await expect.poll(() => redlock.run('probe', () => 1), { timeout: 5000 }).toMatchObject({ ran: true });
    expect(logger.at('log').find((line) => line.startsWith('Locks can be acquired again'))).toContain(
      'and 30 more jobs',
    );
  });
});

it('says once an hour that a job has outgrown its period, and nothing where another instance runs it', async () => {
  const logger = new RecordingLogger();
  const [one, other] = await startFleet(2, { redlock: { nodes: server.url }, providers: [Jobs], logger });
  one!.get(Jobs).work = 300;
  await Promise.all([fire(one!, 'report'), fire(other!, 'report')]);
  await fire(other!, 'report');
  expect(logger.at('warn')).toEqual([]);
  await client.flushall();
  await client.set('JOB_LOCKER_report', 'host:1:ab#an earlier run', 'PX', 10_000);
  for (let times = 0; times < 3; times++) await fire(one!, 'report');
  expect(logger.at('warn')).toEqual([
    expect.stringMatching(
      new RegExp(
        `^The tick of ${TICK} of "report" was not run: an earlier run on "host:1:ab" still holds the lock`,
      ),
    ),
  ]);
});

it('says nothing of plain calls that find the lock held', async () => {
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes: server.url }, providers: [Jobs], logger });
  await client.set('JOB_LOCKER_by hand', 'somebody', 'PX', 10_000);
  await app.get(Jobs).byHand();
  expect(await app.get(RedlockService).lock('by hand')).toBeNull();
  expect(logger.at('warn')).toEqual([]);
});
