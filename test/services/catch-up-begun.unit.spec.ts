import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { beforeEach, expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start, startFleet } from '../module/application.js';

let clock: ManualClock;
/** The name, the tick and the trigger of each run. */
let runs: string[];
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  runs = [];
});

/** Moves the clock to that many minutes past ten. */
const goTo = (minute: number): Promise<void> => clock.advance(Date.UTC(2031, 4, 7, 10, minute) - clock.now());

@Injectable()
class Jobs {
  constructor(readonly redlock: RedlockService) {
    redlock.on('started', ({ name, tick, trigger }) =>
      runs.push(`${name} ${tick?.toISOString().slice(11, 16)} ${trigger}`),
    );
  }

  @Cron('*/10 * * * *', { name: 'report', timeZone: 'UTC', waitForCompletion: true })
  @Exclusive('report', { missed: 'once' })
  async report(): Promise<void> {}

  @Cron('5/10 * * * *', { name: 'summary', timeZone: 'UTC', waitForCompletion: true })
  @Exclusive('summary')
  async summary(): Promise<void> {
    await this.report();
  }
}

it('a missed tick is made up for, although another job has called the job for a later tick of its own', async () => {
  const app = await start({ redlock: { nodes: new MemoryNode(clock.now) }, providers: [Jobs], clock });
  await app.get(Lifecycle).prepared;
  const redlock = app.get(RedlockService);
  await clock.until(fire(app, 'report'));
  await clock.until(redlock.pause('report'));
  await goTo(10);
  await clock.until(fire(app, 'report'));
  await goTo(15);
  await clock.until(fire(app, 'summary'));
  runs = [];
  await clock.until(redlock.resume('report'));
  await goTo(18);
  expect(runs).toEqual(['report 10:10 catch-up']);
});

/** A node that can be out of reach. */
class FailingNode extends MemoryNode {
  isDown = false;

  override claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    return this.isDown ? this.fail() : super.claim(...args);
  }
  override release(...args: Parameters<MemoryNode['release']>): ReturnType<MemoryNode['release']> {
    return this.isDown ? this.fail() : super.release(...args);
  }
  override register(...args: Parameters<MemoryNode['register']>): ReturnType<MemoryNode['register']> {
    return this.isDown ? this.fail() : super.register(...args);
  }
  override look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    return this.isDown ? this.fail() : super.look(...args);
  }

  private fail(): Promise<never> {
    return Promise.reject(new Error('is down'));
  }
}

it('a tick that only the lead node has denied, and that nobody won, is made up for', async () => {
  const nodes = [1, 2, 3].map(() => new FailingNode(clock.now));
  const fleet = await startFleet(5, { redlock: { nodes, nodeTimeout: 50 }, providers: [Jobs], clock });
  for (const app of fleet) await app.get(Lifecycle).prepared;
  const fireAll = (): Promise<unknown> => clock.until(Promise.all(fleet.map((app) => fire(app, 'report'))));
  await fireAll();
  await goTo(10);
  const denied = new Set<unknown>();
  for (const app of fleet) {
    app.get(RedlockService).on('skipped', ({ reason }) => void (reason === 'elsewhere' && denied.add(app)));
  }
  for (const node of nodes.slice(1)) node.isDown = true;
  await fireAll();
  expect(denied.size).toBeGreaterThan(0);
  await Promise.all(fleet.filter((app) => !denied.has(app)).map((app) => close(app)));
  // Long enough for a beat to notice it.
  await clock.advance(30_000);
  for (const node of nodes.slice(1)) node.isDown = false;
  runs = [];
  await clock.advance(60_000);
  expect(runs).toEqual(['report 10:10 catch-up']);
});
