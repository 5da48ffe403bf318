import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import type { ResolvedJobOptions } from '../options/options.js';
import { SkippedTicks } from '../records/skipped-ticks.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { RunRequest } from '../runs/run-request.js';
import type { CronTicks } from '../schedule/cron-ticks.js';

/** A job with a schedule, as this instance knows it. Times are in milliseconds since the epoch. */
export interface KnownJob {
  readonly name: string;
  /** The same, or what stands for all names of its method. */
  readonly pattern: string;
  readonly options: ResolvedJobOptions;
  /** The ticks of a cron job, or the interval of another one, in milliseconds. */
  readonly schedule: CronTicks | number;
  /** Since when this instance has known it with this schedule. */
  readonly since: number;
  /** The newest tick, or start, that any instance is known to have run; `undefined` if that is not known. */
  progress: number | undefined;
  /** Until when it was paused, as far as is known. */
  pausedUntil: number | undefined;
  /** Why this instance has skipped its ticks since the last one that it ran. */
  skipped: SkippedTicks;
  /** The cron job that has called it last, if one has. */
  source: object | undefined;
}

/** How many jobs are remembered: names that depend on arguments may be endless. */
const MOST = 10_000;

/** The scheduled jobs that this instance has declared or called, and how far they have come. */
@Injectable()
export class KnownJobs {
  private readonly jobs = new Map<string, KnownJob>();

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  add(
    { name, pattern = name, options }: Pick<RunRequest, 'name' | 'pattern' | 'options'>,
    schedule: CronTicks | number,
  ): KnownJob {
    const known = this.jobs.get(name);
    if (known?.schedule === schedule) return known;
    const job: KnownJob = {
      name,
      pattern,
      options,
      schedule,
      since: this.clock.now(),
      progress: undefined,
      pausedUntil: undefined,
      skipped: new SkippedTicks(),
      source: undefined,
    };
    this.jobs.set(name, job);
    if (this.jobs.size > MOST) this.jobs.delete(this.jobs.keys().next().value ?? '');
    return job;
  }

  get(name: string): KnownJob | undefined {
    return this.jobs.get(name);
  }

  all(): Iterable<KnownJob> {
    return this.jobs.values();
  }
}

/** When a job is due after `time`, up to `amount` times. Milliseconds since the epoch. */
export function upcoming(schedule: CronTicks | number, time: number, amount: number): Date[] {
  const found: Date[] = [];
  for (let at = time; found.length < amount;) {
    const next = nextDue(schedule, at);
    // See `TickSearch.after` for a next tick that is not later.
    if (next <= at || !Number.isFinite(next)) break;
    found.push(new Date(next));
    at = next;
  }
  return found;
}

/** When a job is due next after `time`; infinity if never. Milliseconds since the epoch. */
export function nextDue(schedule: CronTicks | number, time: number): number {
  return typeof schedule === 'number' ? time + schedule : schedule.next(time);
}

/** When a job is due next after a run at `time`; infinity if never. Milliseconds since the epoch. */
export function dueAfter({ schedule, options }: KnownJob, time: number): number {
  if (typeof schedule === 'number') return time + schedule;
  // With `every`, the ticks soon after a run are skipped.
  return schedule.next(time + (options.every ?? 0));
}
