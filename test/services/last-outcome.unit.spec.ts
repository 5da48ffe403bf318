import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { beforeEach, expect, it } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, start } from '../module/application.js';

const THREE = Date.UTC(2031, 4, 7, 3);
const MINUTE = 60_000;

let clock: ManualClock;
let node: MemoryNode;
let work: () => void;
beforeEach(() => {
  clock = new ManualClock(THREE);
  node = new MemoryNode(clock.now);
  work = () => undefined;
});

async function up(history: number) {
  @Injectable()
  class Jobs {
    @Cron('0 */10 * * * *', byHand('report'))
    @Exclusive('report', { history })
    report(): void {
      work();
    }
  }
  const app = await start({ clock, redlock: { nodes: node }, providers: [Jobs] });
  const redlock = app.get(RedlockService);
  const last = async () => {
    const { lastTick, lastOutcome } = await redlock.status('report');
    return [lastTick?.getTime(), lastOutcome];
  };
  return { fires: () => fire(app, 'report').catch(() => undefined), last, redlock };
}

it('the last outcome is not that of an older tick, if newer ones leave no record', async () => {
  const old = await up(50);
  await old.fires();
  await clock.advance(10 * MINUTE);
  const { lock, begun, records } = new JobKeys('JOB_LOCKER', 'report');
  const dead = { runId: 'dead', trigger: 'schedule' as const, calledAt: clock.now(), tick: clock.now() };
  const history = { begun, records, limit: 50, keep: 60 * MINUTE };
  await node.claim({ lock, history }, tokensOf('dead')(describeRun(dead)), 1000);
  await clock.advance(2000);
  expect(await old.last()).toEqual([THREE, 'died']);

  const changed = await up(0);
  await clock.advance(10 * MINUTE);
  await changed.fires();
  expect(await changed.last()).toEqual([THREE + 20 * MINUTE, null]);
});

it('the last outcome is that of a run by hand after the last tick', async () => {
  const { fires, last, redlock } = await up(50);
  await clock.advance(1000);
  await fires();
  work = () => {
    throw new Error('no paper');
  };
  await clock.advance(1000);
  await redlock.trigger('report').catch(() => undefined);
  expect(await last()).toEqual([THREE, 'failed']);
});
