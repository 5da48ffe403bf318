import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import type { ResolvedJobOptions } from '../options/options.js';
import { SkippedTicks } from '../records/skipped-ticks.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { RunRequest } from '../runs/run-request.js';
import type { CronTicks } from '../schedule/cron-ticks.js';
import type { CronFiring } from '../schedule/firing.js';

/** A job with a schedule, as this instance knows it. Times are in milliseconds since the epoch. */
export interface KnownJob {
  readonly name: string;
  /** The name, or the pattern that stands for the job names of its method. */
  readonly pattern: string;
  readonly options: ResolvedJobOptions;
  /** The ticks of a cron job; of any other job, the time between two runs in milliseconds (see `intervalOf`). */
  readonly schedule: CronTicks | number;
  /** Since when this instance has known the job with this schedule. */
  readonly since: number;
  /**
   * The newest tick, or start, that this instance counts as having run on some instance; `since` if the nodes knew of
   * no run. `undefined` if nothing is known yet.
   */
  progress: number | undefined;
  /** The newest tick that is known here to have begun on some instance, even if the nodes have forgotten it since. */
  begun: number | undefined;
  /** The newest tick that is known here to have been compared with the ticks before it (see `MissedTicks`). */
  compared: number | undefined;
  /** Until when the job was paused, a run was in progress, or nothing called the job here, as far as is known. */
  idleUntil: number | undefined;
  /**
   * When the pause of the job ends, as far as is known; infinity if no end is known. `undefined` if it is not paused.
   */
  pausedUntil: number | undefined;
  /** What became of the ticks of the job here since this instance last won one (takeovers aside). */
  skipped: SkippedTicks;
  /** What the decorator of the job has made to call it: a cron job, or the schedule of an interval. */
  declaredSource: object | undefined;
  /**
   * What calls the job: a cron job, or the schedule of an interval. Until a cron job has called the job, this may be
   * the function that was called in place of the cron job. `undefined` if that is not known.
   */
  source: object | undefined;
  /** Whether it was last called inside a run. Only the winner of that run calls it, so its silence means nothing. */
  isInner: boolean;
  /**
   * The newest firing that has called the job, and the group of the job; `undefined` without a group (see
   * `JobCallers`).
   */
  calledIn: { readonly firing: CronFiring; readonly group: string } | undefined;
}

/** How many jobs that are not declared are remembered: there may be one for each tenant. */
const MOST = 10_000;

type Named = Pick<RunRequest, 'name' | 'pattern' | 'options'>;

/** The scheduled jobs that this instance has declared or called, and how far they have come. */
@Injectable()
export class KnownJobs {
  private readonly declared = new Map<string, KnownJob>();
  private readonly called = new Map<string, KnownJob>();

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /** Adds a job that this instance declares, and never forgets it. */
  declare(job: Named, schedule: CronTicks | number): KnownJob {
    const known = this.keep(job, schedule, this.declared);
    this.called.delete(job.name);
    return known;
  }

  /** Adds a job that was called. It is forgotten once too many other jobs have been called since. */
  add(job: Named, schedule: CronTicks | number): KnownJob {
    if (this.declared.has(job.name)) return this.keep(job, schedule, this.declared);
    const known = this.keep(job, schedule, this.called);
    if (this.called.size > MOST) this.called.delete(this.called.keys().next().value ?? '');
    return known;
  }

  get(name: string): KnownJob | undefined {
    return this.declared.get(name) ?? this.called.get(name);
  }

  /** The job of that name, if this instance declares it with a schedule. */
  declaredAs(name: string): KnownJob | undefined {
    return this.declared.get(name);
  }

  /**
   * The jobs that are known now, as a copy: a caller may await between two jobs, and calls meanwhile reorder the maps.
   */
  all(): KnownJob[] {
    return [...this.declared.values(), ...this.called.values()];
  }

  private keep(
    { name, pattern = name, options }: Named,
    schedule: CronTicks | number,
    jobs: Map<string, KnownJob>,
  ): KnownJob {
    const known = this.get(name);
    // The one that was called last comes last: the first one is forgotten first.
    jobs.delete(name);
    if (known?.schedule === schedule) {
      jobs.set(name, known);
      return known;
    }
    const job: KnownJob = {
      name,
      pattern,
      options,
      schedule,
      since: this.clock.now(),
      progress: undefined,
      begun: undefined,
      compared: undefined,
      idleUntil: undefined,
      pausedUntil: undefined,
      skipped: new SkippedTicks(),
      declaredSource: known?.declaredSource,
      source: undefined,
      isInner: false,
      calledIn: undefined,
    };
    jobs.set(name, job);
    return job;
  }
}
