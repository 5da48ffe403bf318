import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, MemoryNode, NodeUnreachableError, RedlockService } from '../../src/index.js';
import { Fleet } from '../../src/services/fleet.service.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { start } from '../module/application.js';

const MINUTE = 60_000;

type ClaimArguments = Parameters<MemoryNode['claim']>;

/** A node that can be too slow to answer claims, although it answers everything else. */
class SlowNode extends MemoryNode {
  isSlow = false;
  claims = 0;

  override claim(...args: ClaimArguments): ReturnType<MemoryNode['claim']> {
    this.claims++;
    if (!this.isSlow) return super.claim(...args);
    return Promise.reject(new NodeUnreachableError('memory', 'is slow', 'slow'));
  }
}

@Injectable()
class Jobs {
  @Cron('0 * * * * *', { name: 'report', timeZone: 'UTC' })
  @Exclusive('report')
  report(): void {}
}

let clock: ManualClock;
let node: SlowNode;
let apps: TestingModule[];
/** How often the silence was reported. */
let reports: number;
beforeEach(async () => {
  clock = new ManualClock();
  node = new SlowNode(clock.now);
  reports = 0;
  apps = [];
  for (let each = 0; each < 2; each++) {
    const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
    await app.get(Lifecycle).prepared;
    app.get(Fleet).beatByHand();
    app.get(RedlockService).on('overdue', () => reports++);
    apps.push(app);
  }
});

/** Each instance checks once. */
const check = (): Promise<unknown> =>
  clock.until(Promise.all(apps.map((app) => app.get(Fleet).beatAndLook())));

describe('a silence, while the nodes are too slow to tell which instance is the first to notice it,', () => {
  it('is reported by none, and once when they can tell again', async () => {
    node.isSlow = true;
    await clock.advance(10 * MINUTE);
    await check();
    await check();
    expect(reports).toBe(0);
    const health = await apps[0]!.get(RedlockService).health();
    expect(health.overdue).toMatchObject([{ name: 'report' }]);
    node.isSlow = false;
    await check();
    expect(reports).toBe(1);
    const { claims } = node;
    await check();
    expect(reports).toBe(1);
    expect(node.claims).toBe(claims);
  });
});
