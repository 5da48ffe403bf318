import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it, vi } from 'vitest';
import {
  Exclusive,
  MemoryNode,
  type MissedEvent,
  NodeUnreachableError,
  RedlockService,
} from '../../src/index.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';

/** With this spread, the offset of this name is 8,257 ms. */
const [SPREAD, NAME] = [10_000, 'e'];
const ELEVEN = Date.UTC(2031, 4, 7, 11);

/** A node that answers some looks too late. */
class SlowNode extends MemoryNode {
  isLate: (limit: number) => boolean = () => false;

  override look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    if (!this.isLate(args[1])) return super.look(...args);
    return Promise.reject(new NodeUnreachableError('a:1', 'no answer', 'slow'));
  }
}

it.each<[which: string, isLate: (limit: number) => boolean]>([
  ['all looks', () => true],
  ['the looks at the records', (limit) => limit > 0],
])(
  'a spread tick whose instances are gone is claimed at its offset, although %s are answered too late for a while',
  async (_which, isLate) => {
    const clock = new ManualClock(ELEVEN - 3_600_000);
    const node = new SlowNode(clock.now);
    const runs: string[] = [];

    @Injectable()
    class Jobs {
      constructor(redlock: RedlockService) {
        redlock.on('started', ({ tick, trigger }) => {
          runs.push(`${tick?.toISOString().slice(11, 16)} ${trigger}`);
        });
      }

      @Cron('0 * * * *', { name: NAME, timeZone: 'UTC', waitForCompletion: true })
      @Exclusive(NAME, { spread: SPREAD })
      async job(): Promise<void> {}
    }

    const parts = { redlock: { nodes: node }, providers: [Jobs], clock };
    const first = await start(parts);
    await first.get(Lifecycle).prepared;
    await clock.until(fire(first, NAME));
    await close(first);
    await clock.advance(ELEVEN + 1000 - clock.now());
    const until = clock.now() + 1500;
    node.isLate = (limit) => clock.now() < until && isLate(limit);
    const app = await start(parts);
    await app.get(Lifecycle).prepared;
    await clock.advance(60_000);
    expect(runs).toEqual(['10:00 schedule', '11:00 catch-up']);
  },
);

describe('an instance that starts while only a node that has missed all runs answers its looks in time', () => {
  const clock = new ManualClock(ELEVEN - 3_600_000);
  const runs: string[] = [];
  const missed: MissedEvent[] = [];

  @Injectable()
  class Jobs {
    constructor(redlock: RedlockService) {
      redlock.on('started', ({ name, tick, trigger }) => {
        runs.push(`${name} ${tick?.toISOString().slice(11, 16)} ${trigger}`);
      });
      redlock.on('missed', (event) => void missed.push(event));
    }

    @Cron('0 * * * *', { name: 'made up for', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('made up for', { missed: 'once' })
    async madeUpFor(): Promise<void> {}

    @Cron('0 * * * *', { name: 'reported', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('reported')
    async reported(): Promise<void> {}
  }

  it('makes up for a missed tick, and reports missed ticks, once the others answer', async () => {
    const nodes = [new SlowNode(clock.now), new SlowNode(clock.now), new SlowNode(clock.now)];
    const parts = { redlock: { nodes }, providers: [Jobs], clock };
    const claims = vi.spyOn(nodes[0]!, 'claim').mockRejectedValue(new Error('is down'));
    const settles = vi.spyOn(nodes[0]!, 'settle').mockRejectedValue(new Error('is down'));
    const first = await start(parts);
    for (const job of ['made up for', 'reported']) await clock.until(fire(first, job));
    await close(first);
    for (const spy of [claims, settles]) spy.mockRestore();
    await clock.advance(ELEVEN + 3_600_000 + 1000 - clock.now());
    const until = clock.now() + 1500;
    for (const node of nodes.slice(1)) node.isLate = () => clock.now() < until;
    const app = await start(parts);
    await app.get(Lifecycle).prepared;
    await clock.until(fire(app, 'reported'));
    await clock.advance(10_000);
    expect(runs).toEqual([
      'made up for 10:00 schedule',
      'reported 10:00 schedule',
      'reported 12:00 schedule',
      'made up for 12:00 catch-up',
    ]);
    expect(missed.filter(({ name }) => name === 'reported')).toMatchObject([{ cause: 'unknown', count: 1 }]);
  });
});
