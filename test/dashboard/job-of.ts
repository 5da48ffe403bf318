import type { RunTuple } from '../../src/dashboard/page-data.js';
import type { Job } from '../../src/dashboard/page/model/marks.js';
import { infoOf } from './records.js';

/** A job of the page, of which a test says what matters. Its ticks are not equally far apart. */
export function jobOf(job: Partial<Job> = {}): Job {
  const { schedule, options } = infoOf('report', {
    kind: 'cron',
    expression: '* 9-17 * * *',
    timeZone: 'UTC',
  });
  return {
    name: 'report',
    isPattern: false,
    isDeclared: true,
    schedule,
    zone: (job.schedule?.kind === 'cron' && job.schedule.timeZone) || 'UTC',
    options,
    runs: [],
    sameSince: 0,
    ticks: [],
    gaps: [],
    status: {
      name: 'report',
      lastTick: null,
      lastOutcome: null,
      nextTick: null,
      overdueBy: null,
      running: null,
      paused: null,
    },
    ...job,
  };
}

/** The options of a job, with some of them replaced. */
export const optionsOf = (options: Partial<NonNullable<Job['options']>>): NonNullable<Job['options']> => ({
  ...infoOf('report', { kind: 'none' }).options,
  ...options,
});

/** What the page knows of the status, with some of it replaced. */
export const statusOf = (status: Partial<NonNullable<Job['status']>>): NonNullable<Job['status']> => ({
  ...(jobOf().status as NonNullable<Job['status']>),
  ...status,
});

/** A run of `duration` milliseconds that began 5 ms after its tick. */
export const runOf = (
  tick: number,
  duration: number | null = 100,
  outcome: RunTuple[4] = 'finished',
): RunTuple => [...([`run-${tick}`, tick, tick + 5, duration, outcome, 'web-1', 'schedule', null] as const)];
