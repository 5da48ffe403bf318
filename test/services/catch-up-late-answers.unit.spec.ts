import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, MemoryNode, NodeUnreachableError, RedlockService } from '../../src/index.js';
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
