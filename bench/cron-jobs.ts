import 'reflect-metadata';
import { Injectable, type Type } from '@nestjs/common';
import { Cron, type SchedulerRegistry } from '@nestjs/schedule';

/** Cron jobs that only the benchmark calls, as the scheduler does. */
export interface CronJobs {
  /** Resolves, once its run is over, to how many milliseconds after the call the job began; `undefined`: it did not. */
  readonly fire: (job: number) => Promise<number | undefined>;
  /**
   * Calls all jobs at once. Resolves, once all have started, to how many milliseconds after the first call the last
   * one did, and to how many of them there were: fewer than all where some did not run.
   */
  readonly fireAll: () => Promise<{ readonly last: number; readonly started: number }>;
}

/** The method of one job: calls `begin` where its work would begin. */
type JobMethod = (begin: () => void, job: number) => () => Promise<void>;

/** What else is done with the method of each job. */
type JobDecorator = (name: string) => MethodDecorator;

/** A class with that many jobs, each with one tick a minute, which the scheduler itself leaves alone. */
export class CronJobClass {
  readonly type: Type<object>;
  private readonly starts: Starts;

  constructor(
    private readonly jobs: number,
    method: JobMethod,
    decorate?: JobDecorator,
  ) {
    @Injectable()
    class Jobs {}

    const starts = new Starts(jobs);
    for (let job = 0; job < jobs; job++) {
      const name = nameOf(job);
      const descriptor: TypedPropertyDescriptor<() => Promise<void>> = {
        configurable: true,
        writable: true,
        value: method(() => starts.note(job), job),
      };
      decorate?.(name)(Jobs.prototype, name, descriptor);
      // `disabled`: only the benchmark calls it. `waitForCompletion`: so that it knows when the run is over.
      Cron('0 * * * * *', { name, disabled: true, waitForCompletion: true })(
        Jobs.prototype,
        name,
        descriptor,
      );
      Object.defineProperty(Jobs.prototype, name, descriptor);
    }
    this.type = Jobs;
    this.starts = starts;
  }

  /** The jobs of the application that has the class, by the registry of its scheduler. */
  in(registry: SchedulerRegistry): CronJobs {
    const { starts } = this;
    const cronJobs = Array.from({ length: this.jobs }, (_none, job) => registry.getCronJob(nameOf(job)));
    return {
      async fire(job) {
        void starts.clear();
        const called = performance.now();
        await cronJobs[job]?.fireOnTick();
        const started = starts.of(job);
        return started && started - called;
      },
      async fireAll() {
        const all = starts.clear();
        const called = performance.now();
        const runs = cronJobs.map((cronJob) => cronJob.fireOnTick());
        await Promise.race([all, Promise.all(runs)]);
        return { last: starts.latest() - called, started: starts.count };
      },
    };
  }
}

/** When each job has started. */
class Starts {
  private readonly at: (number | undefined)[];
  private left = 0;
  private onAll: () => void = () => {};

  constructor(private readonly jobs: number) {
    this.at = Array.from({ length: jobs });
  }

  /** Resolves when all jobs have started anew. */
  clear(): Promise<void> {
    this.at.fill(undefined);
    this.left = this.jobs;
    return new Promise((resolve) => (this.onAll = resolve));
  }

  /** The beginning of a job. */
  note(job: number): void {
    this.at[job] = performance.now();
    if (--this.left === 0) this.onAll();
  }

  of(job: number): number | undefined {
    return this.at[job];
  }

  /** When the last one of those that have started did; infinity if none has. */
  latest(): number {
    const started = this.at.filter((at) => at !== undefined);
    return started.length > 0 ? started.reduce((a, b) => Math.max(a, b)) : Number.POSITIVE_INFINITY;
  }

  get count(): number {
    return this.jobs - this.left;
  }
}

function nameOf(job: number): string {
  return `job-${job}`;
}
