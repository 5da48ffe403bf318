/**
 * One instance of an application, as a process: a fleet starts several. What it is to be stands in the environment
 * variable `INSTANCE`; what its jobs do it writes to the log.
 */
import { setClock } from './clock.js';
import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, Interval, ScheduleModule } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { Redis } from 'ioredis';
import {
  type CurrentRun,
  Exclusive,
  type JobOptions,
  RedlockModule,
  type RedlockModuleOptions,
  RedlockService,
  type Trigger,
} from '../../src/index.js';
import { currentFiring } from '../../src/schedule/firing.js';
import { DEATHS_KEY, type Entry, LOG_KEY, monotonicNow, type Order } from './log.js';

/** One job of an instance. */
export interface JobSpec {
  readonly name: string;
  /** A cron expression with a tick every second, or with a step in the seconds, or the milliseconds of an `@Interval`. */
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
  /** Whether to log calls too, and not only runs. */
  readonly logCalls: boolean;
}

/** Many jobs that are all claimed in one turn of the event loop, and each of which has one tick. */
export interface Crowd {
  /** The name of its jobs, each followed by a number. */
  readonly name: string;
  readonly size: number;
}

/** What an instance answers to an order. */
export interface Answer {
  /** That of the order. */
  readonly ticket: number;
  /** See `Entry.reason`. */
  readonly outcome: string;
}

const spec = JSON.parse(process.env['INSTANCE'] ?? '') as InstanceSpec;
const log = new Redis(spec.logUrl, { maxRetriesPerRequest: null });
let lastId = 0;

/** The call by the scheduler in which something happens. */
const calling = new AsyncLocalStorage<{ readonly id: string; isOver: boolean }>();
/** The order of an operator in which something happens. */
const ordered = new AsyncLocalStorage<string>();

function newId(): string {
  return `${spec.name}-${++lastId}`;
}

async function write(entry: Omit<Entry, 'instance' | 'at'>): Promise<void> {
  await log.rpush(LOG_KEY, JSON.stringify({ ...entry, instance: spec.name, at: monotonicNow() }));
}

function isJob(name: string): boolean {
  return spec.jobs.some((job) => job.name === name);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** The latest second by the clock of this process: the tick of a job that does not ask anybody. */
function latestSecond(): number {
  return Math.floor((Date.now() + 10) / 1000) * 1000;
}

@Injectable()
class Jobs {
  /** What started the runs in progress, by their ids. */
  private readonly triggers = new Map<string, Trigger>();

  constructor(private readonly redlock: RedlockService) {
    redlock.on('started', ({ runId, trigger }) => this.triggers.set(runId, trigger));
    redlock.on('skipped', ({ name: job, tick, reason, runId: id }) => {
      if (!isJob(job) || (reason !== 'paused' && reason !== 'store-down')) return;
      void write({
        is: 'skipped',
        job,
        tick: tick?.getTime() ?? null,
        id,
        reason,
        call: calling.getStore()?.id,
      });
    });
    redlock.on('missed', ({ name: job, from, to, cause }) => {
      if (!isJob(job)) return;
      const missed = { from: from.getTime(), to: to.getTime(), cause };
      void write({ is: 'missed', job, tick: null, id: newId(), missed });
    });
  }

  async work(job: JobSpec): Promise<void> {
    const run = this.redlock.current();
    const tick = job.unguarded ? latestSecond() : (run?.tick?.getTime() ?? null);
    const of = { job: job.name, tick, id: newId() };
    const onAbort = (): void => void write({ is: 'aborted', ...of, reason: nameOf(run?.signal.reason) });
    run?.signal.addEventListener('abort', onAbort);
    const call = calling.getStore();
    // A takeover is run by a timer that was set when a call was lost.
    const trigger = run && this.triggers.get(run.runId);
    const order = ordered.getStore();
    await write({ is: 'start', ...of, call: call?.isOver ? undefined : call?.id, trigger, order });
    if (await this.mustDie(job, tick)) {
      await pause(job.work / 2);
      process.kill(process.pid, 'SIGKILL');
    }
    await pause(job.work, undefined, { signal: run?.signal }).catch(() => {});
    if (run) this.triggers.delete(run.runId);
    await write({ is: 'end', ...of });
    // Until here, shutdown can leave the tick to others.
    run?.signal.removeEventListener('abort', onAbort);
  }

  /** In a tick in which an instance has died already, this run is its recovery. */
  private async mustDie({ name, dieEvery }: JobSpec, tick: number | null): Promise<boolean> {
    if (dieEvery === undefined || tick === null || (tick / 1000) % dieEvery !== 0) return false;
    return (await log.hincrby(DEATHS_KEY, `${name}:${tick}`, 1)) === 1;
  }
}

/** The tick of the call that goes on: at start, an instance also calls jobs for ticks that have died long ago. */
function tickOfCall(): number {
  const firing = currentFiring();
  return (firing?.kind === 'cron' ? firing.tick?.at : undefined) ?? latestSecond();
}

/** Logs each call of `method`, from the scheduler to the settled run; keeps its metadata. */
function logged(job: JobSpec, method: () => Promise<void>): () => Promise<void> {
  const outer = async function (this: Jobs, ...args: never[]): Promise<void> {
    const hasTick = typeof job.when === 'string' && currentFiring()?.kind !== 'manual';
    const of = { job: job.name, tick: hasTick ? tickOfCall() : null, id: newId() };
    const written = write({ is: 'call', ...of });
    const call = { id: of.id, isOver: false };
    await calling.run(call, () => Reflect.apply(method, this, args));
    call.isOver = true;
    await written;
    await write({ is: 'over', ...of });
  };
  for (const key of Reflect.getMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), outer);
  }
  return outer;
}

for (const job of spec.jobs) {
  const descriptor: TypedPropertyDescriptor<() => Promise<void>> = {
    configurable: true,
    writable: true,
    value(this: Jobs) {
      return this.work(job);
    },
  };
  const schedule = typeof job.when === 'string' ? Cron(job.when) : Interval(job.when);
  schedule(Jobs.prototype, job.name, descriptor);
  if (!job.unguarded) Exclusive(job.name, job.options ?? {})(Jobs.prototype, job.name, descriptor);
  if (spec.logCalls && descriptor.value) descriptor.value = logged(job, descriptor.value);
  Object.defineProperty(Jobs.prototype, job.name, descriptor);
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot(spec.module)], providers: [Jobs] })
class AppModule {}

// The levels of the log are Nest's own, as the fleet test looks at what an application prints by default.
const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();

/** The tick of these jobs is the same whenever they are called. */
const yearly = new CronJob('0 0 1 1 *', () => {});

function runAll({ name, size }: Crowd): void {
  const redlock = app.get(RedlockService);
  for (let index = 0; index < size; index++) {
    const job = `${name}: ${index}`;
    const run = async ({ tick }: CurrentRun): Promise<void> => {
      const of = { job, tick: tick?.getTime() ?? null, id: newId() };
      await write({ is: 'start', ...of });
      await write({ is: 'end', ...of });
    };
    void redlock.run(job, run, { job: yearly });
  }
}

/** Carries out an order, and tells the fleet what became of it. */
async function obey(order: Order, ticket: number): Promise<void> {
  const of = { job: order.job, tick: null, id: newId() };
  await write({ is: 'asked', ...of, asks: order });
  const outcome = await ordered.run(of.id, () => outcomeOf(order)).catch(() => 'failed');
  await write({ is: 'answered', ...of, reason: outcome });
  process.send?.({ ticket, outcome } satisfies Answer);
}

async function outcomeOf({ kind, job, for: duration }: Order): Promise<string> {
  const redlock = app.get(RedlockService);
  if (kind === 'trigger') {
    const outcome = await redlock.trigger(job);
    return outcome.ran ? 'ran' : outcome.reason;
  }
  await (kind === 'pause' ? redlock.pause(job, { for: duration }) : redlock.resume(job));
  return 'done';
}

/** What a fleet tells an instance while it runs. */
export interface Message {
  readonly clock?: number;
  readonly crowd?: Crowd;
  readonly order?: Order;
  readonly ticket?: number;
}

process.on('message', ({ clock, crowd, order, ticket = 0 }: Message) => {
  if (clock !== undefined) setClock(clock);
  if (crowd !== undefined) runAll(crowd);
  if (order !== undefined) void obey(order, ticket);
});
// Whoever started this process is gone.
process.on('disconnect', () => process.exit());
process.send?.('ready');
