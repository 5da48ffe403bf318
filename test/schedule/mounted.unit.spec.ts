import { Injectable } from '@nestjs/common';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { CronTime } from 'cron';
import { describe, expect, it } from 'vitest';
import { Exclusive } from '../../src/index.js';
import { ExclusiveJobs } from '../../src/services/exclusive-jobs.service.js';
import { SchedulerFirings } from '../../src/services/scheduler-firings.service.js';
import { ONCE_A_YEAR, start } from '../module/application.js';

@Injectable()
class Jobs {
  @Cron(ONCE_A_YEAR, { disabled: true }) @Exclusive('disabled') disabled(): void {}
  @Cron(ONCE_A_YEAR) @Exclusive('running') running(): void {}
  @Cron(ONCE_A_YEAR, { name: 'named' }) @Exclusive('named') named(): void {}
  @Cron(new Date('2200-01-01')) @Exclusive('once') once(): void {}
}

function mounted(app: TestingModule): string[] {
  const firings = app.get(SchedulerFirings);
  return [...app.get(ExclusiveJobs).declared()]
    .filter(({ schedule }) => schedule.kind === 'cron' && firings.sourceOf(schedule))
    .map(({ name }) => name);
}

describe('the cron job of a decorated method is mounted', () => {
  it('unless it is disabled, although another job has its expression', async () => {
    const app = await start({ providers: [Jobs] });
    expect(mounted(app)).toEqual(['running', 'named', 'once']);
  });

  it('unless it was given another time, or was stopped', async () => {
    const app = await start({ providers: [Jobs] });
    app.get(SchedulerRegistry).getCronJob('named').setTime(new CronTime('0 0 2 1 *'));
    expect(mounted(app)).toEqual(['running', 'once']);
    for (const job of app.get(SchedulerRegistry).getCronJobs().values()) void job.stop();
    expect(mounted(app)).toEqual([]);
  });
});
