import type { RunTuple } from '../../src/dashboard/page-data.js';
import type { Job } from '../../src/dashboard/page/model/marks.js';

/** A job of the page, of which a test says what matters. */
export function jobOf(job: Partial<Job> = {}): Job {
  return {
    name: 'report',
    isPattern: false,
    isDeclared: true,
    overlap: 'skip',
    runs: [],
    ticks: [],
    gaps: [],
    schedule: { kind: 'none' },
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
