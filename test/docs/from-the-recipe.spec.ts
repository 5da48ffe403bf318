import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { RedisOptions } from 'ioredis';
import Redlock5 from 'redlock';
import Redlock4 from 'redlock4';
import { beforeEach, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { byHand, fire, ONCE_A_YEAR, start, startFleet } from '../module/application.js';
import { clientOf, useServer } from '../module/redis.js';

const server = useServer();
const WORK = 50;

/** Who ran, and when each run began and ended. */
let runs: { readonly who: 'old' | 'new'; readonly begin: number; readonly end: number }[] = [];

beforeEach(async () => {
  runs = [];
  await clientOf(server.it).flushall();
});

async function work(who: 'old' | 'new'): Promise<void> {
  const begin = performance.now();
  await pause(WORK);
  runs.push({ who, begin, end: performance.now() });
}

/** The recipe: its key, its ten minutes, its retries. */
class Recipe {
  private readonly redlock: Redlock4;

  constructor(connections: readonly RedisOptions[]) {
    const clients = connections.map((options) => clientOf(server.it, options));
    this.redlock = new Redlock4(clients, { retryDelay: 200, retryCount: 5 });
  }

  /** Resolves to whether it ran. */
  async task(): Promise<boolean> {
    const lock = await this.redlock.lock('JOB_LOCKER_report', 10 * 60 * 1000).catch(() => null);
    if (!lock) return false;
    await work('old');
    await lock.unlock();
    return true;
  }
}

@Injectable()
class Jobs {
  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  report(): Promise<void> {
    return work('new');
  }
}

it('side by side, never runs two at once, and once more for each old instance', async () => {
  const recipes = [new Recipe([{}]), new Recipe([{}])];
  const apps = await startFleet(3, { redlock: { nodes: server.it.url }, providers: [Jobs] });
  await Promise.all([...recipes.map((old) => old.task()), ...apps.map((app) => fire(app, 'report'))]);

  const inOrder = runs.toSorted((a, b) => a.begin - b.begin);
  for (const [index, run] of inOrder.slice(1).entries()) {
    expect(run.begin).toBeGreaterThanOrEqual(inOrder[index]?.end ?? Infinity);
  }
  expect(runs.filter(({ who }) => who === 'old')).toHaveLength(2);
  expect(runs.filter(({ who }) => who === 'new').length).toBeLessThanOrEqual(1);
});

it('runs a short job on every instance that has the recipe, and once where the tick is claimed', async () => {
  await Promise.all([1, 2, 3].map(() => new Recipe([{}]).task()));
  expect(runs).toHaveLength(3);
  const apps = await startFleet(3, { redlock: { nodes: server.it.url }, providers: [Jobs] });
  await Promise.all(apps.map((app) => fire(app, 'report')));
  expect(runs).toHaveLength(4);
});

it('never runs with a server that is listed twice, and is refused here', async () => {
  expect(await new Recipe([{}, {}]).task()).toBe(false);
  const { url } = server.it;
  await expect(start({ redlock: { nodes: [url, url] } })).rejects.toThrow(/the same server/);
});

it('shares its locks under a keyPrefix of ioredis too', async () => {
  const keyPrefix = 'app:';
  const node = { host: '127.0.0.1', port: server.it.port, keyPrefix };
  const app = await start({ redlock: { nodes: node }, providers: [Jobs] });
  const lock = await app.get(RedlockService).lock('report');
  expect(await clientOf(server.it).keys('*:JOB_LOCKER*')).toEqual(['app:JOB_LOCKER_report']);
  expect(await new Recipe([{ keyPrefix }]).task()).toBe(false);
  await lock?.release();
  expect(await new Recipe([{ keyPrefix }]).task()).toBe(true);
});

it('shares a key of redlock 5 that has a _ in it, by prefix and name', async () => {
  const other = new Redlock5([clientOf(server.it)] as never, { retryCount: 0 });
  const app = await start({ redlock: { nodes: server.it.url, keyPrefix: 'cron' }, providers: [Jobs] });
  const lock = await other.acquire(['cron_report'], 10_000);
  await fire(app, 'report');
  expect(runs).toEqual([]);
  await lock.release();
  await fire(app, 'report');
  expect(runs).toHaveLength(1);
});
