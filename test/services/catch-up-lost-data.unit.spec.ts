import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const TTL = 30 * SECOND;

/** A node that can crash, and come back with the data of its last backup. */
class NodeWithBackup extends MemoryNode {
  private data = new MemoryNode(clock.now);
  private backup = new MemoryNode(clock.now);
  private isBackedUp = false;
  isDown = false;
  /** How long a claim takes, in milliseconds. */
  slowness = 0;

  /** From now on, the backup stays as it is. */
  backUp(): void {
    this.isBackedUp = true;
  }

  /** The node comes back. */
  restore(): void {
    this.isDown = false;
    this.data = this.backup;
  }

  override async claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    const vote = this.ask((node) => node.claim(...args));
    if (this.slowness > 0) await sleep(clock, this.slowness);
    return vote;
  }
  override settle(...args: Parameters<MemoryNode['settle']>): Promise<boolean> {
    return this.ask((node) => node.settle(...args));
  }
  override release(...args: Parameters<MemoryNode['release']>): Promise<boolean> {
    return this.ask((node) => node.release(...args));
  }
  override register(...args: Parameters<MemoryNode['register']>): Promise<boolean> {
    return this.ask((node) => node.register(...args));
  }
  override look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    return this.ask((node) => node.look(...args));
  }

  private ask<Answer>(command: (node: MemoryNode) => Promise<Answer>): Promise<Answer> {
    if (this.isDown) return Promise.reject(new Error('is down'));
    if (!this.isBackedUp) void command(this.backup);
    return command(this.data);
  }
}

let clock: ManualClock;
let node: NodeWithBackup;
/** The tick of each run, and what started it. */
let runs: string[];
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  node = new NodeWithBackup(clock.now);
  runs = [];
});

/** An application with one job that is due every five minutes. */
function startOne(): Promise<TestingModule> {
  @Injectable()
  class Jobs {
    constructor(redlock: RedlockService) {
      redlock.on('started', ({ tick, trigger }) => {
        runs.push(`${tick?.toISOString().slice(11, 16)} ${trigger}`);
      });
    }

    @Cron('*/5 * * * *', { name: 'report', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('report', { ttl: TTL, missed: 'once' })
    async report(): Promise<void> {
      await sleep(clock, SECOND);
    }
  }
  return start({ redlock: { nodes: node }, providers: [Jobs], clock });
}

/** Two instances; the node is backed up after the tick of 10:00, and the tick of 10:05 runs. */
async function runTwoTicks(): Promise<TestingModule[]> {
  const fleet = [await startOne(), await startOne()];
  await clock.until(Promise.all(fleet.map((app) => fire(app, 'report'))));
  node.backUp();
  await clock.advance(Date.UTC(2031, 4, 7, 10, 5) - clock.now());
  await clock.until(Promise.all(fleet.map((app) => fire(app, 'report'))));
  expect(runs).toEqual(['10:00 schedule', '10:05 schedule']);
  return fleet;
}

async function crashAndRestore(): Promise<void> {
  node.isDown = true;
  await clock.advance(20 * SECOND);
  node.restore();
  await clock.advance(MINUTE);
}

it('a tick that the node has forgotten is not made up for by instances that ran it or lost it', async () => {
  await runTwoTicks();
  await crashAndRestore();
  expect(runs).toHaveLength(2);
});

it('a tick that the node has forgotten, and that was made up for before, is not made up for again', async () => {
  const fleet = [await startOne(), await startOne()];
  await clock.until(Promise.all(fleet.map((app) => fire(app, 'report'))));
  node.backUp();
  await clock.advance(Date.UTC(2031, 4, 7, 10, 5) - clock.now());
  node.isDown = true;
  await clock.until(Promise.all(fleet.map((app) => fire(app, 'report'))));
  node.isDown = false;
  await clock.advance(MINUTE);
  expect(runs.slice(1)).toEqual(['10:05 catch-up']);
  await crashAndRestore();
  expect(runs).toHaveLength(2);
});

it('a tick that the node has forgotten is made up for by an instance that has started since', async () => {
  const fleet = await runTwoTicks();
  await Promise.all(fleet.map((app) => close(app)));
  node.restore();
  await startOne();
  await clock.advance(MINUTE);
  expect(runs.slice(2)).toEqual(['10:05 catch-up']);
});

it('a tick that nobody won, because its claim was answered too late each time, is made up for', async () => {
  const app = await startOne();
  await clock.until(fire(app, 'report'));
  const reasons: string[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  await clock.advance(Date.UTC(2031, 4, 7, 10, 5) - clock.now());
  node.slowness = TTL;
  await clock.until(fire(app, 'report'));
  expect(reasons).toEqual(['elsewhere']);
  node.slowness = 0;
  await crashAndRestore();
  expect(runs.slice(1)).toEqual(['10:05 catch-up']);
});
