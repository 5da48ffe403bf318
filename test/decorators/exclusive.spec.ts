import { Injectable } from '@nestjs/common';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';

@Injectable()
class Jobs {
  readonly runs: string[] = [];
  constructor(readonly redlock: RedlockService) {}

  @Cron('0 0 1 1 *', { name: 'above' })
  @Exclusive('above')
  async above(): Promise<void> {
    this.runs.push(`above ${this.redlock.current()?.tick?.toISOString()}`);
  }

  @Exclusive('below')
  @Cron('0 0 1 1 *', { name: 'below' })
  async below(): Promise<void> {
    this.runs.push(`below ${this.redlock.current()?.tick?.toISOString()}`);
  }
}

it('runs a tick once, above and below @Cron', async () => {
  const app = await Test.createTestingModule({
    imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: 'memory' })],
    providers: [Jobs],
  }).compile();
  await app.init();
  const jobs = app.get(Jobs);
  const registry = app.get(SchedulerRegistry);
  for (const name of ['above', 'below', 'above', 'below']) await registry.getCronJob(name).fireOnTick();
  await expect.poll(() => jobs.runs.length).toBe(2);
  await app.close();
});
