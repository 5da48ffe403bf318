import 'reflect-metadata';
import { Injectable, type Type } from '@nestjs/common';
import { Cron, type SchedulerRegistry } from '@nestjs/schedule';
import type { CronJob } from 'cron';

/** A class with many cron jobs, each with one tick a minute, which only the benchmark calls, as the scheduler would. */
export class CronJobs {
  readonly type: Type<object>;
  private jobs: readonly CronJob[] = [];
  private readonly starts: number[] = [];

  /** @param method The method of a job, which calls `begin` where its work would begin. */
  constructor(
    private readonly count: number,
    method: (begin: () => void, name: string) => () => Promise<void>,
    decorate?: (name: string) => MethodDecorator,
  ) {
    @Injectable()
    class Jobs {}

    const begin = (): void => void this.starts.push(performance.now());
    for (const name of this.names()) {
      const value = method(begin, name);
      const descriptor: TypedPropertyDescriptor<typeof value> = { configurable: true, writable: true, value };
      decorate?.(name)(Jobs.prototype, name, descriptor);
      // `waitForCompletion`, so that `fireOnTick` resolves when the run is over.
      const options = { name, disabled: true, waitForCompletion: true };
      Cron('0 * * * * *', options)(Jobs.prototype, name, descriptor);
      Object.defineProperty(Jobs.prototype, name, descriptor);
    }
    this.type = Jobs;
  }

  /** Finds the jobs of the application that has the class. */
  find(registry: SchedulerRegistry): void {
    this.jobs = this.names().map((name) => registry.getCronJob(name));
  }

  /**
   * Calls some jobs at once, and resolves when their runs are over.
   *
   * @returns How long it took, in milliseconds, until the last one began, and from then on until all were over.
   */
  async fire(
    first = 0,
    count = this.count,
  ): Promise<{ readonly last: number; readonly over: number; readonly missed: number }> {
    const jobs = this.jobs.slice(first, first + count);
    this.starts.length = 0;
    const called = performance.now();
    await Promise.all(jobs.map((job) => job.fireOnTick()));
    const last = this.starts.at(-1) ?? Number.NaN;
    return { last: last - called, over: performance.now() - last, missed: count - this.starts.length };
  }

  private names(): string[] {
    return Array.from({ length: this.count }, (_none, job) => `job-${job}`);
  }
}
