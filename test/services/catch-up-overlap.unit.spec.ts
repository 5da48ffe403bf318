import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, type JobOptions, MemoryNode, RedlockService } from '../../src/index.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';
import { Gate } from './gate.js';

/** A node that can hang: its locks do not end meanwhile. */
class FailingNode extends MemoryNode {
  isDown = false;

  private answer<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return this.isDown ? Promise.reject(new Error('is down')) : ask();
  }
  override claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    return this.answer(() => super.claim(...args));
  }
  override register(...args: Parameters<MemoryNode['register']>): ReturnType<MemoryNode['register']> {
    return this.answer(() => super.register(...args));
  }
  override look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    return this.answer(() => super.look(...args));
  }
}

let clock: ManualClock;
let node: FailingNode;
let gate: Gate;
/** When each run began, its tick, and what started it. */
let runs: string[];
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 9));
  node = new FailingNode(clock.now);
  gate = new Gate();
  runs = [];
});

const hourOf = (date: Date): string => date.toISOString().slice(11, 16);
/** Moves the clock to a time of that day. */
const to = (time: string): Promise<void> => clock.advance(Date.parse(`2031-05-07T${time}Z`) - clock.now());

/** An application with one job that is due each hour, and runs until the gate opens. */
async function startWith(options: JobOptions): Promise<TestingModule> {
  @Injectable()
  class Jobs {
    constructor(redlock: RedlockService) {
      redlock.on('started', ({ tick, trigger }) => {
        runs.push(`${hourOf(new Date(clock.now()))}: ${tick && hourOf(tick)} ${trigger}`);
      });
    }

    @Cron('0 * * * *', { name: 'e', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('e', { ttl: '1m', ...options })
    async job(): Promise<void> {
      await gate.until;
    }
  }
  const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
  await app.get(Lifecycle).prepared;
  return app;
}

/** Runs the tick of nine o'clock, and then that of ten until the gate opens. */
async function runLong(options: JobOptions): Promise<TestingModule> {
  const app = await startWith(options);
  await clock.until(fire(app, 'e'));
  await to('10:00:00');
  gate.close();
  void fire(app, 'e');
  await to('10:30:00');
  runs = [];
  return app;
}

/** The same, and misses the tick of eleven in an outage. The long run ends at half past. */
async function missDuringRun(options: JobOptions): Promise<void> {
  const app = await runLong(options);
  await to('11:00:00');
  node.isDown = true;
  await clock.until(fire(app, 'e'));
  await to('11:00:10');
  node.isDown = false;
  await to('11:30:00');
  gate.open();
}

describe('a tick that was due during a run, and was not claimed because of an outage or a pause,', () => {
  it('starts when the run ends, with buffer-one', async () => {
    await missDuringRun({ overlap: 'buffer-one', missed: 'once' });
    await to('11:40:00');
    expect(runs).toEqual(['11:30: 11:00 catch-up']);
  });

  it('is run when the job is resumed, if runs may overlap', async () => {
    const app = await runLong({ overlap: 'allow', missed: 'once' });
    const redlock = app.get(RedlockService);
    await to('10:50:00');
    await clock.until(redlock.pause('e'));
    await to('11:00:00');
    await clock.until(fire(app, 'e'));
    await to('11:30:00');
    gate.open();
    await to('11:40:00');
    await clock.until(redlock.resume('e'));
    await to('11:45:00');
    expect(runs).toEqual(['11:40: 11:00 catch-up']);
  });

  it('is not run otherwise', async () => {
    await missDuringRun({ missed: 'once' });
    await to('11:45:00');
    expect(runs).toEqual([]);
  });
});

it('a tick that is yet to be claimed (spread) is claimed, although a run was in progress when it was due', async () => {
  // The offset of this name is 8 m 15 s.
  const options: JobOptions = { spread: '10m' };
  const old = await startWith(options);
  await clock.until(fire(old, 'e'));
  await to('09:59:50');
  gate.close();
  const call = old.get(RedlockService).trigger('e');
  await to('10:00:05');
  await startWith(options);
  gate.open();
  await clock.until(call);
  await close(old);
  runs = [];
  await to('10:20:00');
  expect(runs).toEqual(['10:08: 10:00 catch-up']);
});

describe('a run in progress when a tick was to be claimed (spread), and not when it was due, is what counts:', () => {
  const options: JobOptions = { spread: '10m', missed: 'once' };
  /** Runs the tick of nine o'clock, and then the job once more from `begin` to `end`. */
  const runBetween = async (begin: string, end: string): Promise<TestingModule> => {
    const app = await startWith(options);
    await clock.until(fire(app, 'e'));
    await to(begin);
    gate.close();
    const run = app.get(RedlockService).trigger('e');
    await to(end);
    gate.open();
    await clock.until(run);
    return app;
  };

  it('a tick that was missed in an outage is made up for, although a run had been in progress before', async () => {
    const app = await runBetween('09:59:00', '10:05:00');
    node.isDown = true;
    await to('10:08:16');
    await clock.until(
      app
        .get(RedlockService)
        .lock('other')
        .catch(() => {}),
    );
    runs = [];
    node.isDown = false;
    await to('10:12:00');
    expect(runs).toEqual(['10:08: 10:00 catch-up']);
  });

  it('a tick that was skipped because of a run is not run when the job is resumed', async () => {
    const app = await runBetween('10:05:00', '10:20:00');
    const redlock = app.get(RedlockService);
    await clock.until(redlock.pause('e'));
    await clock.until(redlock.resume('e'));
    runs = [];
    await to('10:30:00');
    expect(runs).toEqual([]);
  });
});
