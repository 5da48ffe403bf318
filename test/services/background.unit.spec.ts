import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, ONCE_A_YEAR, start } from '../module/application.js';

const MINUTE = 60_000;

/** The calls of the application, as a tracer knows them. */
const calls = new AsyncLocalStorage<string>();

class FaultyNode extends MemoryNode {
  isDown = false;

  override claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    return this.isDown ? Promise.reject(new Error('down')) : super.claim(...args);
  }

  override register(...args: Parameters<MemoryNode['register']>): ReturnType<MemoryNode['register']> {
    return this.isDown ? Promise.reject(new Error('down')) : super.register(...args);
  }
}

const EACH_MINUTE = '0 * * * * *';

@Injectable()
class Jobs {
  constructor(readonly redlock: RedlockService) {
    for (const event of ['overdue', 'missed'] as const) {
      redlock.on(event, async ({ name }) => {
        const alert = (): unknown => redlock.current()?.tick;
        const outcome = await redlock.run('alert', alert);
        log.push(`${event} ${name} ${JSON.stringify(outcome)} in ${calls.getStore()}`);
      });
    }
  }

  @Cron(ONCE_A_YEAR, byHand('yearly'))
  @Exclusive('yearly')
  yearly(): void {}

  @Cron(EACH_MINUTE, byHand('one'))
  @Exclusive('one', { overdueAfter: '3m' })
  one(): void {}

  @Cron(EACH_MINUTE, byHand('two'))
  @Exclusive('two', { overdueAfter: '3m' })
  two(): void {}

  @Cron(EACH_MINUTE, byHand('made up for'))
  @Exclusive('made up for', { missed: 'once' })
  madeUpFor(): void {
    log.push(`made up for in ${calls.getStore()}`);
  }
}

let clock: ManualClock;
let node: FaultyNode;
let app: TestingModule;
/** What listeners and jobs have seen. */
let log: string[];
beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  node = new FaultyNode(clock.now);
  log = [];
  app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
  await app.get(Lifecycle).prepared;
  await clock.idle();
});

/** Fires a job in a call of the application. */
const fireIn = (call: string, job: string): Promise<void> =>
  clock.until(calls.run(call, () => fire(app, job)));

it('an alert on an overdue job is a plain call, also after an outage that was met in a firing', async () => {
  node.isDown = true;
  await fireIn('the outage', 'yearly');
  node.isDown = false;
  await clock.advance(10 * MINUTE);
  expect(log).toContain('overdue one {"ran":true,"value":null} in undefined');
});

it('an alert on missed ticks is a plain call, so that no other one of the same tick replaces it', async () => {
  const both = ['one', 'two'];
  for (const job of both) await fireIn('the first minute', job);
  await clock.advance(2 * MINUTE);
  for (const job of both) {
    await fireIn('the third minute', job);
    await clock.idle();
  }
  expect(log).toEqual(both.map((job) => `missed ${job} {"ran":true,"value":null} in undefined`));
});

it('a missed tick is not made up for in the call that resumes its job', async () => {
  const redlock = app.get(RedlockService);
  await fireIn('the first minute', 'made up for');
  await clock.until(redlock.pause('made up for'));
  await clock.advance(MINUTE);
  await fireIn('the second minute', 'made up for');
  await clock.until(calls.run('the end of the pause', () => redlock.resume('made up for')));
  await clock.idle();
  expect(log).toEqual(['made up for in the first minute', 'made up for in undefined']);
});
