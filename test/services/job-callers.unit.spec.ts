import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { ResolvedJobOptions } from '../../src/options/options.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { CronFiring, fire } from '../../src/schedule/firing.js';
import { JobCallers } from '../../src/services/job-callers.service.js';
import { KnownJobs } from '../../src/services/known-jobs.service.js';
import type { SchedulerFirings } from '../../src/services/scheduler-firings.service.js';
import { cronTime } from '../schedule/firings.js';

const SOURCE = { cronTime: 'each second' };
const ticks = new CronTicks(cronTime('* * * * * *', 'UTC'));

/** How many firings of the source are remembered. */
const remembered = (callers: JobCallers): number =>
  (Reflect.get(callers, 'firings') as WeakMap<object, readonly unknown[]>).get(SOURCE)?.length ?? 0;

it.each(['finishes', 'fails', 'finishes now and then'])(
  'few firings are remembered of a cron job whose job %s',
  async (how) => {
    const callers = new JobCallers({} as SchedulerFirings);
    const job = new KnownJobs(systemClock).add({ name: 'job', options: {} as ResolvedJobOptions }, ticks);
    for (let second = 0; second < 100; second++) {
      const firing = new CronFiring(SOURCE, ticks, second * 1000, systemClock);
      await fire(firing, async () => {
        callers.called(job, firing, 'job');
        if (how === 'fails' || (how !== 'finishes' && second % 7 !== 0)) firing.failed.add('job');
      });
      await Promise.resolve();
    }
    expect(remembered(callers)).toBeLessThanOrEqual(2);
  },
);
