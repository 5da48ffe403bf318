import { Injectable, Module } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import { contentOf } from '../../src/acquire/token.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, fire, start } from '../module/application.js';

const clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
let claimants: string[] = [];

/** A node whose answers take 5 ms. */
class SlowNode extends MemoryNode {
  override async claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    const token = contentOf(args[1]);
    if (token?.trigger === 'catch-up') claimants.push(token.instanceId);
    const vote = super.claim(...args);
    await sleep(clock, 5);
    return vote;
  }
}

it('a missed tick is made up for by the import that guards the job, although the other one knows the job', async () => {
  const node = new SlowNode(clock.now);
  const runs: string[] = [];

  @Injectable()
  class LibraryJobs {
    constructor(redlock: RedlockService) {
      redlock.on(
        'started',
        ({ tick, trigger }) => void runs.push(`${tick?.toISOString().slice(11, 16)} ${trigger}`),
      );
    }

    @Cron('0 * * * *', { name: 'report', timeZone: 'UTC', waitForCompletion: true })
    @Exclusive('report', { missed: 'once' })
    report(): void {}
  }

  const startApp = () => {
    const library = RedlockModule.forRoot({ nodes: node, isGlobal: false, instanceId: 'library' });
    @Module({ imports: [library], providers: [LibraryJobs] })
    class LibraryModule {}
    return start({ redlock: { nodes: node, instanceId: 'root' }, imports: [LibraryModule], clock });
  };

  const first = await startApp();
  await clock.until(fire(first, 'report'));
  expect(runs).toEqual(['10:00 schedule']);
  await close(first);
  await clock.advance(3_600_500);
  await startApp();
  await clock.advance(60_000);
  expect(runs.slice(1)).toEqual(['11:00 catch-up']);
  expect(new Set(claimants)).toEqual(new Set(['library']));
});
