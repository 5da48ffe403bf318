import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron, Interval } from '@nestjs/schedule';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { SingleNodeStore } from '../../src/acquire/single-node-store.js';
import { claimOf, newName } from '../nodes/support.js';
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
    expect(told).toEqual([expect.stringMatching(/No tick of "report" is run for another 3[56]\d\d s/)]);
    expect(told[0]).toContain('delete the key "{JOB_LOCKER_report}:last" on each node');
    const reports: string[] = [];
    app.get(RedlockService).on('finished', ({ name }) => reports.push(name));
    await client.del('{JOB_LOCKER_report}:last');
    await fire(app, 'report');
    expect(reports).toContain('report');
    expect(app.get(Jobs).runs).toBeGreaterThan(before);
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

interface Behind {
  readonly answer: ReturnType<Acquirer['acquire']>;
  readonly asked: { readonly mock: { readonly calls: readonly unknown[] } };
  readonly setRight: () => void;
}

/** A claim of a tick that is due by the clock of the instance, while that of its node is `behind` milliseconds behind. */
function claimBehind(behind: number): Behind {
  let offset = -behind;
  const node = new MemoryNode(() => Date.now() + offset);
  const asked = vi.spyOn(node, 'claim');
  const acquirer = new Acquirer(new SingleNodeStore(node), 500);
  const answer = acquirer.acquire(claimOf(newName(), Date.now()), 5000, 0, new AbortController().signal);
  return { answer, asked, setRight: () => void (offset = 0) };
}

describe('a clock of the node that is behind', () => {
  it(
    'by an hour for one second costs a tick some seconds, and not an hour',
    { timeout: 20_000 },
    async () => {
      const { answer, setRight } = claimBehind(HOUR);
      const begun = performance.now();
      await pause(1000);
      setRight();
      expect(await answer).toHaveProperty('validUntil');
      expect(performance.now() - begun).toBeLessThan(6000);
    },
  );

  it('by some seconds is waited for', { timeout: 20_000 }, async () => {
    const { answer, asked } = claimBehind(3000);
    const begun = performance.now();
    expect(await answer).toHaveProperty('validUntil');
    // A tick is granted from half a second before its time.
    expect(performance.now() - begun).toBeGreaterThan(2400);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(3);
  });

  it(
    'by an hour for good skips the tick after 30 s, with a reason and a warning',
    { timeout: 60_000 },
    async () => {
      const node = new MemoryNode(() => Date.now() - 400 * 24 * HOUR);
      const logger = new RecordingLogger();
      const app = await start({ redlock: { nodes: node }, providers: [Jobs], logger });
      const reasons: string[] = [];
      app.get(RedlockService).on('skipped', ({ name, reason }) => name === 'report' && reasons.push(reason));
      const begun = performance.now();
      await fire(app, 'report');
      expect(performance.now() - begun).toBeGreaterThan(29_000);
      expect(performance.now() - begun).toBeLessThan(40_000);
      expect(reasons).toEqual(['early']);
      const told = logger.at('warn').filter((line) => line.includes('"report"'));
      expect(told).toEqual([expect.stringContaining('by the clocks of the nodes it is not due yet')]);
    },
  );
});
