import { Injectable, Module } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, RedlockModule } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';

@Injectable()
class Jobs {
  @Cron('0 * * * * *', { timeZone: 'UTC' })
  @Exclusive('report')
  async report(): Promise<void> {}
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
class AppModule {}

it('the instance that wins a tick counts 1,000 missed ticks at most', { timeout: 60_000 }, async () => {
  const now = new Date('2031-05-07T09:30:05Z');
  const fleet = await TestFleet.create(AppModule, { instances: 1, now });
  closeAfterTest(fleet);
  await fleet.fire('report', new Date('2031-05-07T09:31:00Z'));
  const [run] = await fleet.fire('report', new Date('2031-05-08T08:31:00Z'));
  expect(run?.missed).toMatchObject([{ cause: 'unknown', count: 1000 }]);
});
