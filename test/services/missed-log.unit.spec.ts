import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, MemoryNode } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

@Injectable()
class Jobs {
  @Cron('0 * * * * *', { ...byHand('report'), timeZone: 'UTC' })
  @Exclusive('report')
  report(): void {}
}

/** A node that can be out of reach. */
class FailingNode extends MemoryNode {
  isDown = false;

  override claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    return this.isDown ? Promise.reject(new Error('is down')) : super.claim(...args);
  }
}

it.each([
  [1, 'no lock could be acquired'],
  [3, 'there was no quorum of the nodes'],
])('the log says of %i nodes that were down at a tick: %s', async (count, why) => {
  const clock = new ManualClock();
  const nodes = Array.from({ length: count }, () => new FailingNode(clock.now));
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes }, providers: [Jobs], clock, logger });
  for (const isDown of [false, true, false]) {
    for (const node of nodes) node.isDown = isDown;
    await clock.until(fire(app, 'report'));
    await clock.advance(60_000);
  }
  expect(logger.at('warn')).toContainEqual(
    expect.stringMatching(new RegExp(`^The tick of .* of "report" ran on no instance: ${why}`)),
  );
});
