import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { contentOf } from '../../src/acquire/token.js';
import { sleep } from '../../src/clock.js';
import { Exclusive, type JobOptions, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const TTL = 30 * SECOND;
/** How often an instance looks at the jobs that are paused or undecided. */
const BEAT = 10 * SECOND;

/** A node that can hang. */
class HangingNode extends MemoryNode {
  isDown = false;
  /** How long it takes to look, in milliseconds. */
  slowness = 0;
  /** Called once, before the next claim of a catch-up. */
  beforeCatchUp: (() => Promise<unknown>) | undefined;

  private answer<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return this.isDown ? Promise.reject(new Error('is down')) : ask();
  }
  override async claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    const { beforeCatchUp } = this;
    if (beforeCatchUp && contentOf(args[1])?.trigger === 'catch-up') {
      this.beforeCatchUp = undefined;
      await beforeCatchUp();
    }
    return this.answer(() => super.claim(...args));
  }
  override register(...args: Parameters<MemoryNode['register']>): ReturnType<MemoryNode['register']> {
    return this.answer(() => super.register(...args));
  }
  override async look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    if (this.slowness > 0) await sleep(clock, this.slowness);
    return this.answer(() => super.look(...args));
  }
}

let clock: ManualClock;
let node: HangingNode;
/** The tick of each run, and what started it. */
let runs: string[];
/** When each run began. */
let begun: number[];
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  node = new HangingNode(clock.now);
  runs = [];
  begun = [];
});

/** An application with one job that is due each hour. */
function startWith(options: JobOptions): Promise<TestingModule> {
  @Injectable()
  class Jobs {
    constructor(redlock: RedlockService) {
      redlock.on('started', ({ tick, trigger }) => {
        runs.push(`${tick?.toISOString().slice(11, 16)} ${trigger}`);
        begun.push(clock.now());
      });
    }

    @Cron('0 * * * *', { name: 'report', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('report', { ttl: TTL, missed: 'once', ...options })
    report(): void {}
  }
  return start({ redlock: { nodes: node }, providers: [Jobs], clock });
}

/** Runs the job at ten o'clock, and stops the application. */
async function runAtTen(options: JobOptions): Promise<void> {
  const app = await startWith(options);
  await clock.until(fire(app, 'report'));
  expect(runs).toEqual(['10:00 schedule']);
  await close(app);
}

/** Moves the clock to a time of that day. */
const to = (time: string): Promise<void> => clock.advance(Date.parse(`2031-05-07T${time}Z`) - clock.now());

describe('a missed tick', () => {
  it('with recover, is run after the one before it, which was begun and not finished', async () => {
    await runAtTen({ recover: true });
    await to('11:00:00');
    const dead = claimOf('report', clock.now(), { recover: true });
    expect(await node.claim(dead, 'dead#run/0/0//1', TTL)).toMatchObject({ kind: 'granted' });
    await to('12:00:05');
    await startWith({ recover: true });
    await clock.advance(BEAT);
    expect(runs.slice(1)).toEqual(['11:00 recover', '12:00 catch-up']);
  });

  it('with recover, is run after it also when the job is resumed', async () => {
    await runAtTen({ recover: true });
    const app = await startWith({ recover: true });
    const redlock = app.get(RedlockService);
    await to('11:00:00');
    const dead = claimOf('report', clock.now(), { recover: true });
    expect(await node.claim(dead, 'dead#run/0/0//1', TTL)).toMatchObject({ kind: 'granted' });
    await clock.until(redlock.pause('report'));
    await to('12:00:00');
    await clock.until(fire(app, 'report'));
    await to('12:00:05');
    expect(runs).toHaveLength(1);
    await clock.until(redlock.resume('report'));
    await clock.advance(BEAT);
    expect(runs.slice(1)).toEqual(['11:00 recover', '12:00 catch-up']);
  });

  it('with recover, is taken over if the instance that makes up for it dies', async () => {
    await runAtTen({ recover: true });
    const dead = claimOf('report', Date.UTC(2031, 4, 7, 11), { recover: true });
    await to('11:20:00');
    node.beforeCatchUp = () => node.claim(dead, 'dead#run/2/0//1', TTL);
    await startWith({ recover: true });
    await clock.advance(BEAT);
    expect(runs).toHaveLength(1);
    await clock.advance(2 * TTL);
    expect(runs.slice(1)).toEqual(['11:00 recover']);
  });

  it('is not one that `every` leaves out', async () => {
    await runAtTen({ every: '90m' });
    await to('11:40:00');
    const app = await startWith({ every: '90m' });
    await clock.idle();
    expect(runs).toHaveLength(1);
    await to('12:00:00');
    await clock.until(fire(app, 'report'));
    expect(runs.slice(1)).toEqual(['12:00 schedule']);
  });

  it('is not one that `every` leaves out after a run that started late', async () => {
    const options: JobOptions = { every: '1h' };
    await runAtTen(options);
    await to('11:20:00');
    const late = await startWith(options);
    await clock.advance(BEAT);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
    await to('12:00:00');
    await clock.until(fire(late, 'report'));
    await close(late);
    await to('12:40:00');
    await startWith(options);
    await clock.idle();
    expect(runs).toHaveLength(2);
  });

  it('is one that is due `every` after a tick whose run started some milliseconds late', async () => {
    await clock.advance(20);
    await runAtTen({ every: '1h' });
    await to('11:20:00');
    await startWith({ every: '1h' });
    await clock.advance(BEAT);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
  });

  it('with spread, is not one that is not late yet', async () => {
    const options: JobOptions = { spread: '30m' };
    await runAtTen(options);
    const offset = begun[0]! - Date.UTC(2031, 4, 7, 10);
    expect(offset).toBeGreaterThan(MINUTE);
    await to('11:00:01');
    await startWith(options);
    await clock.idle();
    await clock.advance(offset - 2 * SECOND);
    expect(runs).toHaveLength(1);
    await clock.advance(BEAT);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
    expect(begun[1]! - Date.UTC(2031, 4, 7, 11)).toBeGreaterThanOrEqual(offset);
  });

  it('with spread, is not one that this instance is still to claim', async () => {
    const app = await startWith({ spread: '30m' });
    await clock.until(fire(app, 'report'));
    await to('11:00:00');
    const redlock = app.get(RedlockService);
    await redlock.pause('report');
    await redlock.resume('report');
    await clock.idle();
    await clock.until(fire(app, 'report'));
    await clock.idle();
    expect(runs).toEqual(['10:00 schedule', '11:00 schedule']);
  });

  it("with onStoreDown: 'run', is not one that ran without a quorum", async () => {
    const app = await startWith({ onStoreDown: 'run' });
    await clock.until(fire(app, 'report'));
    await to('11:00:00');
    node.isDown = true;
    await clock.until(fire(app, 'report'));
    expect(runs.slice(1)).toEqual(['11:00 schedule']);
    await clock.advance(20 * SECOND);
    node.isDown = false;
    await clock.advance(MINUTE);
    expect(runs).toHaveLength(2);
  });
});

describe('a tick with spread, and without `missed`,', () => {
  const options: JobOptions = { spread: '30m', missed: 'skip' };

  it('is run by an instance that starts before it is claimed, if no instance is left that was up when it was due', async () => {
    await runAtTen(options);
    const offset = begun[0]! - Date.UTC(2031, 4, 7, 10);
    const before = await startWith(options);
    await to('11:00:00');
    const called = fire(before, 'report');
    await clock.advance(offset / 3);
    await startWith(options);
    await clock.idle();
    await clock.until(close(before));
    await clock.until(called);
    expect(runs).toHaveLength(1);
    await clock.advance(offset);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
    expect(begun[1]! - Date.UTC(2031, 4, 7, 11)).toBeGreaterThanOrEqual(offset);
  });

  it.each([
    ['is not run by', 'skip', []],
    ['with `missed` is made up for by', 'once', ['11:00 catch-up']],
  ] as const)(
    '%s an instance with no spread that starts before it is claimed',
    async (_, missed, expected) => {
      await runAtTen(options);
      const before = await startWith(options);
      await to('11:00:00');
      const called = fire(before, 'report');
      await clock.advance(10 * SECOND);
      await startWith({ missed });
      await clock.idle();
      await clock.until(close(before));
      await clock.until(called);
      await clock.advance(30 * MINUTE);
      expect(runs.slice(1)).toEqual(expected);
    },
  );

  it('is run by an instance that has just enough time to ask what has run', async () => {
    await runAtTen(options);
    const offset = begun[0]! - Date.UTC(2031, 4, 7, 10);
    await to('11:00:00');
    await clock.advance(offset - 100);
    node.slowness = 200;
    await startWith(options);
    await clock.idle();
    await clock.advance(MINUTE);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
  });

  it('is run by an instance that starts during a pause, if the job is resumed before it is claimed', async () => {
    await runAtTen(options);
    const offset = begun[0]! - Date.UTC(2031, 4, 7, 10);
    const before = await startWith(options);
    await before.get(RedlockService).pause('report');
    await close(before);
    await to('11:00:00');
    await clock.advance(offset / 3);
    const redlock = (await startWith(options)).get(RedlockService);
    await clock.idle();
    await redlock.resume('report');
    await clock.idle();
    await clock.advance(offset);
    expect(runs.slice(1)).toEqual(['11:00 catch-up']);
  });

  it('is not run by an instance that starts later', async () => {
    await runAtTen(options);
    const offset = begun[0]! - Date.UTC(2031, 4, 7, 10);
    await to('11:00:00');
    await clock.advance(offset + SECOND);
    await startWith(options);
    await clock.idle();
    await clock.advance(offset);
    expect(runs).toHaveLength(1);
  });
});
