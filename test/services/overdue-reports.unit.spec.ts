import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, MemoryNode, NodeUnreachableError, RedlockService } from '../../src/index.js';
import { Fleet } from '../../src/services/fleet.service.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { fire, start } from '../module/application.js';
import { Gate } from './gate.js';

const MINUTE = 60_000;

type ClaimArguments = Parameters<MemoryNode['claim']>;
type LookArguments = Parameters<MemoryNode['look']>;

/** A node that can be too slow to answer claims, although it answers everything else, or down. */
class FaultyNode extends MemoryNode {
  isSlow = false;
  isDown = false;
  claims = 0;

  override claim(...args: ClaimArguments): ReturnType<MemoryNode['claim']> {
    this.claims++;
    if (this.isDown) return Promise.reject(new Error('down'));
    if (!this.isSlow) return super.claim(...args);
    return Promise.reject(new NodeUnreachableError('memory', 'is slow', 'slow'));
  }

  override look(...args: LookArguments): ReturnType<MemoryNode['look']> {
    return this.isDown ? Promise.reject(new Error('down')) : super.look(...args);
  }
}

const WAITING = { timeZone: 'UTC', waitForCompletion: true };

@Injectable()
class Jobs {
  @Cron('0 * * * * *', { ...WAITING, name: 'report' })
  @Exclusive('report')
  async report(): Promise<void> {
    await gate.until;
  }
}

let clock: ManualClock;
let node: FaultyNode;
let gate: Gate;
let apps: TestingModule[];
/** What was reported. */
let reports: string[];
beforeEach(async () => {
  clock = new ManualClock();
  node = new FaultyNode(clock.now);
  gate = new Gate();
  reports = [];
  apps = [];
  await startOne();
  await startOne();
});

async function startOne(): Promise<void> {
  const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
  await app.get(Lifecycle).prepared;
  app.get(Fleet).beatByHand();
  app.get(RedlockService).on('overdue', ({ name, expected }) => {
    reports.push(`${name} ${expected.toISOString().slice(11, 16)}`);
  });
  apps.push(app);
}

/** Each instance checks once. */
const check = (): Promise<unknown> =>
  clock.until(Promise.all(apps.map((app) => app.get(Fleet).beatAndLook())));

async function checkAfter(minutes: number): Promise<string[]> {
  await clock.advance(minutes * MINUTE);
  await check();
  return reports.filter((report) => report.startsWith('report'));
}

async function fireAll(job: string): Promise<void> {
  for (const app of apps) await clock.until(fire(app, job));
}

describe('a silence, while the nodes are too slow to tell which instance is the first to notice it,', () => {
  it('is reported by none, and once when they can tell again', async () => {
    node.isSlow = true;
    await checkAfter(10);
    expect(await checkAfter(0)).toEqual([]);
    const health = await apps[0]!.get(RedlockService).health();
    expect(health.overdue).toContainEqual(expect.objectContaining({ name: 'report' }));
    node.isSlow = false;
    expect(await checkAfter(0)).toHaveLength(1);
    const { claims } = node;
    expect(await checkAfter(0)).toHaveLength(1);
    expect(node.claims).toBe(claims);
  });
});

describe('in an outage, a job', () => {
  let redlock: RedlockService;
  beforeEach(() => void (redlock = apps[0]!.get(RedlockService)));
  const pause = (duration?: '20m') => clock.until(redlock.pause('report', { for: duration }));

  it('that has not run is reported by each instance', async () => {
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(10)).toEqual(['report 09:31', 'report 09:31']);
  });

  it('that is paused, as the nodes have said, is not overdue', async () => {
    await fireAll('report');
    await pause();
    await checkAfter(10);
    node.isDown = true;
    expect(await checkAfter(60)).toEqual([]);
  });

  it('that is paused, as a skip has told, is not overdue', async () => {
    await fireAll('report');
    await pause();
    await clock.advance(MINUTE);
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(60)).toEqual([]);
  });

  it('is due after the end of its pause', async () => {
    await pause('20m');
    await checkAfter(10);
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(14)).toEqual([]);
    expect(await checkAfter(3)).toEqual(['report 09:51', 'report 09:51']);
  });

  it('that has run since it was paused is reported', async () => {
    await pause();
    await checkAfter(10);
    await clock.until(redlock.resume('report'));
    await clock.advance(MINUTE);
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(10)).toEqual(['report 09:42', 'report 09:42']);
  });

  it('is due after a run was last seen in progress', async () => {
    gate.close();
    const run = fire(apps[0]!, 'report');
    await checkAfter(10);
    node.isDown = true;
    expect(await checkAfter(1)).toEqual([]);
    expect(await checkAfter(6)).toEqual(['report 09:41', 'report 09:41']);
    gate.open();
    await run;
  });
});
