import type { CronTicks } from './cron-ticks.js';

/** `every` is shortened by a tenth to allow for timer jitter, at most by this, in milliseconds. */
const EVERY_SLACK = 1000;

/** What decides when a job is due. */
interface Scheduled {
  /** The ticks of a cron job; of any other job, the time between two runs in milliseconds (see `intervalOf`). */
  readonly schedule: CronTicks | number;
  readonly options: { readonly every: number | undefined };
}

/** The time between two runs of a job that is called every `period` milliseconds; not less than its `every`. */
export function intervalOf(period: number, every = 0): number {
  return Math.max(period, every);
}

/** When a job is due after `time`, up to `amount` times. Milliseconds since the epoch. */
export function upcoming(schedule: CronTicks | number, time: number, amount: number): Date[] {
  const found: Date[] = [];
  for (let at = time; found.length < amount;) {
    const next = nextDue(schedule, at);
    if (!Number.isFinite(next)) break;
    found.push(new Date(next));
    at = next;
  }
  return found;
}

/** When a job is due next after `time`; infinity if never. Milliseconds since the epoch. */
export function nextDue(schedule: CronTicks | number, time: number): number {
  return typeof schedule === 'number' ? time + schedule : schedule.next(time);
}

/**
 * When a job is due after a run at `time`. If that is not after `idleUntil`, it is due at its next scheduled time after
 * `idleUntil`, whatever `every` says. Milliseconds since the epoch.
 */
export function dueAfterIdle(job: Scheduled, time: number, idleUntil: number): number {
  const due = dueAfter(job, time);
  return due > idleUntil ? due : nextDue(job.schedule, idleUntil);
}

/** When a job is due after a run at `time`, and not before `now`; infinity if never. Milliseconds since the epoch. */
export function dueAfter({ schedule, options: { every = 0 } }: Scheduled, time: number, now = time): number {
  if (typeof schedule === 'number') return Math.max(time + schedule, now);
  // With `every`, the ticks soon after a run are skipped.
  return schedule.next(Math.max(time + leastGap(every), now));
}

/** How soon after one start another one may follow, with `every`. In milliseconds. */
export function leastGap(every: number): number {
  return Math.ceil(every - Math.min(every / 10, EVERY_SLACK));
}
