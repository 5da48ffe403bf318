import { Injectable, Module } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';

const at = (time: string): Date => new Date(`2031-05-07T${time}Z`);

@Injectable()
class Jobs {
  @Cron('0 * * * * *', { timeZone: 'UTC' })
  @Exclusive('report', { onStoreDown: 'run' })
  async report(): Promise<void> {}
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
class AppModule {}

it('a job is not overdue if each instance has run it without a quorum', async () => {
  let isDown = false;
  let now = at('09:30:05').getTime();
  class Node extends MemoryNode {
    override claim(...args: Parameters<MemoryNode['claim']>) {
      return isDown ? Promise.reject(new Error('down')) : super.claim(...args);
    }
  }
  const fleet = await TestFleet.create(AppModule, {
    instances: 1,
    now: at('09:30:05'),
    nodes: new Node(() => now),
  });
  closeAfterTest(fleet);
  const told: string[] = [];
  const redlock = fleet.instances[0]!.get(RedlockService);
  redlock.on('overdue', () => told.push('overdue'));
  redlock.on('missed', ({ cause }) => told.push(cause));
  for (let minute = 31; minute < 45; minute++) {
    isDown = minute > 32 && minute < 43;
    now = at(`09:${minute}:00`).getTime();
    expect(await fleet.fire('report', at(`09:${minute}:00`))).toMatchObject([{ ran: true }]);
    await fleet.advance('10s');
  }
  expect(told).toEqual([]);
});
