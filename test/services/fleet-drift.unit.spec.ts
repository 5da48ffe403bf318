import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, expect, it, vi } from 'vitest';
import { Exclusive, type JobOptions, MemoryNode, RedlockService } from '../../src/index.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, close, ONCE_A_YEAR, start } from '../module/application.js';

const MINUTE = 60_000;

let clock: ManualClock;
let node: MemoryNode;
let reports: string[];
beforeEach(() => {
  clock = new ManualClock();
  node = new MemoryNode(clock.now);
  reports = [];
});

/** Starts an instance whose job has these options. */
async function up(instanceId: string, options: JobOptions): Promise<TestingModule> {
  @Injectable()
  class Jobs {
    @Cron(ONCE_A_YEAR, byHand('report'))
    @Exclusive('report', options)
    report(): void {}
  }
  const app = await start({ clock, redlock: { nodes: node, instanceId }, providers: [Jobs] });
  await app.get(Lifecycle, { strict: false }).prepared;
  app.get(RedlockService).on('drift', ({ instances }) => reports.push(instances.join()));
  return app;
}

it('a disagreement is reported once a day, although the instances that disagree come and go', async () => {
  await up('old', { ttl: '30s' });
  let last = await up('new 0', { ttl: '40s' });
  for (let count = 1; count <= 3; count++) {
    await clock.advance(15 * MINUTE);
    const next = await up(`new ${count}`, { ttl: '40s' });
    await clock.advance(15 * MINUTE);
    await close(last);
    last = next;
  }
  expect(reports).toEqual(['new 0']);
  // Not `advance`: the beats of a day would take a second.
  clock.freeze(21 * 60 * MINUTE);
  await clock.advance(60 * MINUTE);
  expect(reports).toEqual(['new 0']);
  await clock.advance(60 * MINUTE);
  expect(reports).toEqual(['new 0', 'new 3']);
});

it('another disagreement of the same instances is reported on the same day', async () => {
  await up('web-0', { ttl: '30s' });
  const changes: JobOptions[] = [{ ttl: '40s' }, { ttl: '50s' }, { ttl: '30s', overlap: 'allow' }];
  for (const [index, options] of changes.entries()) {
    const changed = await up('web-1', options);
    await clock.advance(25 * MINUTE);
    expect(reports).toHaveLength(index + 1);
    await close(changed);
  }
});

it('instances with one name are all listed', async () => {
  const app = await up('web', { ttl: '30s' });
  const restarted = await up('web', { ttl: '30s' });
  await clock.advance(5000);
  expect(await app.get(RedlockService).fleet()).toHaveLength(2);
  await close(restarted);
  await clock.advance(20 * MINUTE);
  expect(await app.get(RedlockService).fleet()).toHaveLength(1);
});

it('nothing is reported while an update may be in progress', async () => {
  await up('old', { ttl: '30s' });
  await clock.advance(15 * MINUTE);
  await up('new', { ttl: '40s' });
  await clock.advance(9 * MINUTE);
  expect(reports).toEqual([]);
  await clock.advance(20 * MINUTE);
  expect(reports).toEqual(['new']);
});

it('a disagreement between instances that started one after another is reported soon', async () => {
  await up('web-0', { ttl: '30s' });
  await clock.advance(8000);
  await up('web-1', { ttl: '40s' });
  await clock.advance(50_000);
  await up('web-2', { ttl: '40s' });
  await clock.advance(9 * MINUTE + 8000);
  expect(reports).toEqual([]);
  await clock.advance(MINUTE);
  expect(reports).toEqual(['web-1']);
});

it('an instance that was closed just before the look is not reported', async () => {
  const old = await up('old', { ttl: '30s' });
  // Five minutes before the other one looks, the looks of this one are over.
  await clock.advance(17 * MINUTE);
  const app = await up('new', { ttl: '40s' });
  // It first looks when it has been up for ten minutes.
  await clock.advance(9 * MINUTE + 45_000);
  await close(old);
  const looks = vi.spyOn(node, 'registered');
  await clock.advance(20_000);
  expect(looks).toHaveBeenCalledOnce();
  const fleet = await clock.until(app.get(RedlockService).fleet());
  expect(fleet.map(({ instanceId }) => instanceId)).toEqual(['old', 'new']);
  await clock.advance(30 * MINUTE);
  expect(reports).toEqual([]);
});

it('a disagreement is reported although one of the instances is gone at the second look', async () => {
  await up('web-0', { ttl: '30s' });
  await up('web-1', { ttl: '40s' });
  const third = await up('web-2', { ttl: '50s' });
  await clock.advance(10 * MINUTE + 5000);
  await close(third);
  await clock.advance(2 * MINUTE);
  expect(reports).toEqual(['web-1']);
});

it.each(['first', 'second'])(
  'a disagreement is reported although no node answers the %s look',
  async (which) => {
    await up('web-0', { ttl: '30s' });
    await up('web-1', { ttl: '40s' });
    const looks = vi.spyOn(node, 'registered');
    await clock.advance(10 * MINUTE - 5000);
    if (which === 'second') await clock.advance(10_000);
    looks.mockRejectedValueOnce(new Error('is down'));
    await clock.advance(MINUTE);
    expect(looks).toHaveBeenCalledTimes(3);
    expect(reports).toEqual(['web-1']);
  },
);
