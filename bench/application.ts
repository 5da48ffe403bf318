import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Exclusive, type NodeOption, RedlockModule, RedlockService } from '../src/index.js';

/** A Nest application with cron jobs that are exclusive, as somebody would write it. */
export interface Application {
  readonly service: RedlockService;
  /**
   * Calls a job as the scheduler does. Resolves, once its tick is settled, to how many milliseconds after the call
   * the first line of the method ran; `undefined`: this instance lost.
   */
  readonly fire: (job: number) => Promise<number | undefined>;
  /**
   * Calls all jobs at once. Resolves, once all have started, to how many milliseconds after the first call the last
   * one did, and to how many of them there were: fewer than all where this instance lost some.
   */
  readonly fireAll: () => Promise<{ readonly last: number; readonly started: number }>;
  readonly close: () => Promise<void>;
}

/**
 * @param jobs How many; each of them has one tick a minute, which the scheduler itself leaves alone.
 * @param keyPrefix Keeps the jobs of this application apart from those of another one on the same nodes.
 */
export async function startApplication(
  nodes: readonly NodeOption[],
  jobs = 0,
  keyPrefix = 'JOB_LOCKER',
): Promise<Application> {
  const starts = new Starts(jobs);
  const Jobs = jobsClass(jobs, starts);

  @Module({
    imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes, keyPrefix })],
    providers: [Jobs],
  })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const registry = app.get(SchedulerRegistry);
  const cronJobs = Array.from({ length: jobs }, (_none, job) => registry.getCronJob(nameOf(job)));
  return {
    service: app.get(RedlockService),
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
    close: () => app.close(),
  };
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

  /** The first line of every job. */
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

/** A class with that many methods, each with `@Cron` and `@Exclusive`. */
function jobsClass(jobs: number, starts: Starts): new () => object {
  @Injectable()
  class Jobs {}

  for (let job = 0; job < jobs; job++) {
    const name = nameOf(job);
    const descriptor: TypedPropertyDescriptor<() => Promise<void>> = {
      configurable: true,
      writable: true,
      value: () => {
        starts.note(job);
        return Promise.resolve();
      },
    };
    Exclusive(name)(Jobs.prototype, name, descriptor);
    // `disabled`: only the benchmark calls it. `waitForCompletion`: so that it knows when the tick is settled.
    Cron('0 * * * * *', { name, disabled: true, waitForCompletion: true })(Jobs.prototype, name, descriptor);
    Object.defineProperty(Jobs.prototype, name, descriptor);
  }
  return Jobs;
}
