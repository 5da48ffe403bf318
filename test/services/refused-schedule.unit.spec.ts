import { Injectable } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { closeAfterTest } from '../close-after-test.js';

it('an application whose scheduler is off starts and registers, although cron refuses the schedule of a job', async () => {
  @Injectable()
  class Jobs {
    @Cron('not on this instance')
    @Exclusive('report')
    async report(): Promise<void> {}
  }
  const app = await Test.createTestingModule({
    imports: [ScheduleModule.forRoot({ cronJobs: false }), RedlockModule.forRoot({ nodes: 'memory' })],
    providers: [Jobs],
  }).compile();
  await app.init();
  closeAfterTest(app);
  // A rejection that nobody handles would end the process.
  await app.get(Lifecycle).prepared;
  const redlock = app.get(RedlockService);
  expect(redlock.jobs()).toMatchObject([{ name: 'report', schedule: { kind: 'none' } }]);
  const [instance] = await redlock.fleet();
  expect(instance?.jobs.map(({ name }) => name)).toEqual(['report']);
});
