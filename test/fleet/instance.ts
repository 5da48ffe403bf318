import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, Interval, ScheduleModule } from '@nestjs/schedule';
import { Redis } from 'ioredis';
import {
  Exclusive,
  type JobOptions,
  RedlockModule,
  type RedlockModuleOptions,
  RedlockService,
} from '../../src/index.js';
import { monotonicNow, type Entry, LOG_KEY } from './log.js';

/** One job of an instance. */
export interface JobSpec {
  readonly name: string;
  /** A cron expression, or the milliseconds of an `@Interval`. */
  readonly when: string | number;
  /** How long a run takes, in milliseconds. */
  readonly work: number;
  readonly options?: JobOptions;
  /** Without `@Exclusive`, as in the application of somebody who has not heard of it. */
  readonly unguarded?: boolean;
  /** The instance kills itself in the middle of a run whose tick is a multiple of this many seconds. */
  readonly dieEvery?: number;
}

/** What a fleet tells an instance, in the environment variable `INSTANCE`. */
export interface InstanceSpec {
  readonly name: string;
  readonly logUrl: string;
  readonly module: RedlockModuleOptions;
  readonly jobs: readonly JobSpec[];
}

const spec = JSON.parse(process.env['INSTANCE'] ?? '') as InstanceSpec;
const log = new Redis(spec.logUrl, { maxRetriesPerRequest: null });

async function write(entry: Omit<Entry, 'instance' | 'at'>): Promise<void> {
  await log.rpush(LOG_KEY, JSON.stringify({ ...entry, instance: spec.name, at: monotonicNow() }));
}

@Injectable()
class Jobs {
  constructor(readonly redlock: RedlockService) {}

  async work(job: JobSpec): Promise<void> {
    const run = this.redlock.current();
    const tick = run?.tick?.getTime() ?? null;
    const id = `${spec.name}-${monotonicNow()}`;
    const aborted = (): void => void write({ is: 'aborted', job: job.name, tick, id });
    run?.signal.addEventListener('abort', aborted);
    await write({ is: 'start', job: job.name, tick, id });
    if (
      job.dieEvery &&
      tick !== null &&
      (tick / 1000) % job.dieEvery === 0 &&
      !(await retaken(job.name, tick))
    ) {
      process.kill(process.pid, 'SIGKILL');
    }
    await pause(job.work);
    run?.signal.removeEventListener('abort', aborted);
    await write({ is: 'end', job: job.name, tick, id });
  }
}

/** Whether an instance has died in this tick before: then this run is its recovery. */
async function retaken(job: string, tick: number): Promise<boolean> {
  return (await log.hincrby('deaths', `${job}:${tick}`, 1)) > 1;
}

for (const job of spec.jobs) {
  const method = { [job.name]: (self: Jobs) => self.work(job) };
  const descriptor: TypedPropertyDescriptor<() => Promise<void>> = {
    configurable: true,
    writable: true,
    value(this: Jobs) {
      return method[job.name]?.(this) ?? Promise.resolve();
    },
  };
  if (!job.unguarded) Exclusive(job.name, job.options ?? {})(Jobs.prototype, job.name, descriptor);
  const schedule = typeof job.when === 'string' ? Cron(job.when) : Interval(job.when);
  schedule(Jobs.prototype, job.name, descriptor);
  Object.defineProperty(Jobs.prototype, job.name, descriptor);
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot(spec.module)], providers: [Jobs] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, {
  logger: ['fatal', 'error', 'warn', 'log'],
});
app.enableShutdownHooks();
process.send?.('ready');
