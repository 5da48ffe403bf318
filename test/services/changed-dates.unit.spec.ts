import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { expect, it, onTestFinished } from 'vitest';
import { Exclusive, RedlockService, type RunEvent } from '../../src/index.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';

const toEpoch = (date: Date | null): void => void date?.setTime(0);

/** Changes the date in an event, and then the event. */
function change(event: unknown): void {
  toEpoch((event as RunEvent).tick);
  Reflect.set(event as RunEvent, 'tick', 'a text');
}

it('a job may change the date of its tick', async () => {
  @Injectable()
  class Jobs {
    constructor(private readonly redlock: RedlockService) {}

    @Cron(ONCE_A_YEAR, byHand('report'))
    @Exclusive('report')
    report(): void {
      toEpoch(this.redlock.current()!.tick);
    }
  }
  const app = await start({ providers: [Jobs] });
  const redlock = app.get(RedlockService);
  const ticks: unknown[] = [];
  redlock.on('finished', ({ tick }) => ticks.push(tick));
  await fire(app, 'report');
  expect(ticks).toEqual([newYear()]);
  expect(await redlock.history('report')).toMatchObject([{ tick: newYear() }]);
  expect(await redlock.status('report')).toMatchObject({ lastTick: newYear(), lastOutcome: 'finished' });
});

it('whoever is told of an event may change it', async () => {
  @Injectable()
  class Jobs {
    constructor(private readonly redlock: RedlockService) {}

    @Cron(ONCE_A_YEAR, byHand('report'))
    @Exclusive('report')
    report(): void {
      ticks.push(this.redlock.current()?.tick);
    }
  }
  const ticks: unknown[] = [];
  const app = await start({ providers: [Jobs] });
  const redlock = app.get(RedlockService);
  const runs = tracingChannel('nestjs-exclusive:run');
  const handlers = { start: change, end() {}, asyncStart() {}, asyncEnd() {}, error() {} };
  subscribe('nestjs-exclusive:started', change);
  runs.subscribe(handlers);
  onTestFinished(() => {
    unsubscribe('nestjs-exclusive:started', change);
    runs.unsubscribe(handlers);
  });
  for (const name of ['started', 'finished'] as const) {
    redlock.on(name, change);
    redlock.on(name, ({ tick }) => ticks.push(tick));
  }
  await fire(app, 'report');
  expect(ticks).toEqual([newYear(), newYear(), newYear()]);
  expect(await redlock.history('report')).toMatchObject([{ tick: newYear() }]);
});

it('whoever asks for the health of the nodes may change the dates in it', async () => {
  const redlock = (await start({})).get(RedlockService);
  const { nodes } = await redlock.health();
  const since = new Date(nodes[0]!.since);
  toEpoch(nodes[0]!.since);
  expect((await redlock.health()).nodes).toMatchObject([{ since }]);
});
