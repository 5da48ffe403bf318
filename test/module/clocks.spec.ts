import { Injectable } from '@nestjs/common';
import { Cron, Interval } from '@nestjs/schedule';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();
let client: Redis;
beforeEach(async () => {
  client = clientOf(server.it);
  await client.flushall();
});

@Injectable()
class Jobs {
  runs = 0;
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<void> {
    this.runs++;
  }

  @Interval('poll', 400)
  @Exclusive('poll')
  async poll(): Promise<void> {
    this.runs++;
  }
}

const HOUR = 3_600_000;

describe('a clock of the nodes that was an hour ahead, and is set back,', () => {
  it('is told once, with the key and the remedy, which works', async () => {
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs], logger });
    await client.set('{JOB_LOCKER_report}:last', Date.now() + HOUR);
    const before = app.get(Jobs).runs;
    for (let times = 0; times < 3; times++) await fire(app, 'report');
    const told = logger.at('warn').filter((line) => line.includes('"report"'));
    expect(told).toEqual([expect.stringMatching(/No tick of "report" will run for another 3[56]\d\d s/)]);
    expect(told[0]).toContain('delete the key "{JOB_LOCKER_report}:last" on each node');
    const reports: string[] = [];
    app.get(RedlockService).on('finished', ({ name }) => reports.push(name));
    await client.del('{JOB_LOCKER_report}:last');
    await fire(app, 'report');
    expect(reports).toContain('report');
    expect(app.get(Jobs).runs).toBeGreaterThan(before);
  });

  it('is told with the key as it is on each node, where a client has a prefix and a database', async () => {
    const other = clientOf(server.it, { db: 2 });
    await other.set('app:{JOB_LOCKER_report}:last', Date.now() + HOUR);
    const logger = new RecordingLogger();
    const nodes = { host: '127.0.0.1', port: server.it.port, db: 2, keyPrefix: 'app:' };
    const app = await start({ redlock: { nodes }, providers: [Jobs], logger });
    await fire(app, 'report');
    expect(logger.at('warn')).toEqual([
      expect.stringContaining('delete the key "app:{JOB_LOCKER_report}:last" in database 2 on each node'),
    ]);
  });

  it('leaves the lock of an instance that died: ticks are skipped as overlap until its key is deleted', async () => {
    const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs] });
    const outcomes: string[] = [];
    app.get(RedlockService).on('skipped', ({ name, reason }) => outcomes.push(`${name}: ${reason}`));
    app.get(RedlockService).on('finished', ({ name }) => outcomes.push(`${name}: finished`));
    await client.set('JOB_LOCKER_report', 'an instance that died', 'PX', HOUR + 30_000);
    await fire(app, 'report');
    await client.del('JOB_LOCKER_report');
    await fire(app, 'report');
    expect(outcomes.filter((outcome) => outcome.startsWith('report'))).toEqual([
      'report: overlap',
      'report: finished',
    ]);
  });

  it('is not meant where a tick is settled as usual', async () => {
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs], logger });
    for (let times = 0; times < 3; times++) await fire(app, 'report');
    expect(await client.get('{JOB_LOCKER_report}:last')).toBe(String(newYear().getTime()));
    expect(logger.at('warn')).toEqual([]);
  });

  it('holds an interval up for one interval, and not for that hour', async () => {
    await client.set('{JOB_LOCKER_poll}:every', 'a run of that hour', 'PX', 24 * HOUR);
    const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs] });
    await expect.poll(() => app.get(Jobs).runs, { timeout: 5000 }).toBeGreaterThan(1);
  });
});
