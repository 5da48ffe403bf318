import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, MemoryNode } from '../../src/index.js';
import type { JobView, NodeReport, Vote } from '../../src/nodes/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { build, byHand, ONCE_A_YEAR } from './application.js';
import { RecordingLogger } from './recording-logger.js';

@Injectable()
class Jobs {
  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report', { recover: true, missed: 'once' })
  report(): void {}
}

/** Like a connection, it cannot be opened while it is closed; and it counts what it is asked after that. */
class ClosableNode extends MemoryNode {
  isClosed = false;
  opened = 0;
  askedWhenClosed = 0;
  whileOpening = async (): Promise<void> => {};

  override async open(): Promise<NodeReport> {
    this.asked();
    this.opened++;
    await this.whileOpening();
    if (this.isClosed) throw new Error('the connection was closed');
    return { ...(await super.open()), clockOffset: 0 };
  }

  override claim(...claim: Parameters<MemoryNode['claim']>): Promise<Vote> {
    this.asked();
    return super.claim(...claim);
  }

  override look(...question: Parameters<MemoryNode['look']>): Promise<JobView> {
    this.asked();
    return super.look(...question);
  }

  override register(...entry: Parameters<MemoryNode['register']>): Promise<boolean> {
    this.asked();
    return super.register(...entry);
  }

  override close(): Promise<void> {
    this.isClosed = true;
    return super.close();
  }

  private asked(): void {
    if (this.isClosed) this.askedWhenClosed++;
  }
}

type Moment = 'before its nodes are opened' | 'while its nodes are opened' | 'while other modules start';

it.each<[Moment, opened: number, said: unknown[]]>([
  ['before its nodes are opened', 0, []],
  ['while its nodes are opened', 1, []],
  ['while other modules start', 1, [expect.stringContaining('Guarding 1 job')]],
])('an application that is closed %s uses no node after that', async (moment, opened, said) => {
  const clock = new ManualClock();
  const node = new ClosableNode(clock.now);
  const logger = new RecordingLogger();
  @Injectable()
  class OtherModule implements OnModuleInit {
    async onModuleInit(): Promise<void> {
      if (moment === 'while other modules start') await app.close();
    }
  }
  const parts = { redlock: { nodes: node }, providers: [Jobs, OtherModule], logger, clock };
  // Unlike other applications, this one does not put off its shutdown until it has started.
  const app = (await build(parts)).createNestApplication();
  if (moment === 'while its nodes are opened') node.whileOpening = () => app.close();
  const starting = app.init();
  if (moment === 'before its nodes are opened') await app.close();
  await starting;
  await clock.advance(3_600_000);
  expect(node).toMatchObject({ isClosed: true, opened, askedWhenClosed: 0 });
  expect(logger.text.split('\n').filter((line) => line.endsWith(' RedlockModule'))).toEqual(said);
});
