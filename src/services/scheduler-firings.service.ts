import { Inject, Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { SchedulerRegistry } from '@nestjs/schedule';
import type { CronJob } from 'cron';
import { CLOCK } from '../redlock.module-definition.js';
import { CronFiring, currentFiring, fire, holdFiring, IntervalFiring } from '../schedule/firing.js';
import { type CronTicks, SharedTicks } from '../schedule/cron-ticks.js';
import { type CronOptions, cronTimeOf } from '../schedule/schedule-of.js';

/** What `@nestjs/schedule` hands its decorated methods to, before they are mounted. It is not exported there. */
interface Orchestrator {
  addCron(method: (...args: unknown[]) => unknown, options: CronOptions): void;
  addInterval(method: (...args: unknown[]) => unknown, every: number, name?: string): void;
  mountIntervals(): void;
}

/** What has been wrapped, in whatever application of this process: twice would be one firing in another. */
const wrapped = new WeakSet<object>();

/**
 * Makes the calls of the scheduler known as firings. Registries are recognized by what they can do and not by their
 * class, as an application may have two copies of `@nestjs/schedule`.
 */
@Injectable()
export class SchedulerFirings {
  /** The ticks of all schedules of this application. */
  readonly ticks = new SharedTicks();
  private registries: readonly SchedulerRegistry[] = [];
  private knowsIntervals = false;

  constructor(
    @Inject(CLOCK) private readonly clock: () => number,
    private readonly discovery: DiscoveryService,
  ) {}

  /**
   * Wraps the cron jobs that are registered and all that will be, and the intervals that will be mounted. To be called
   * before any other module starts: a job that fires earlier runs on every instance.
   */
  watch(): void {
    const instances = this.discovery.getProviders().map(({ instance }): unknown => instance);
    this.registries = instances.filter(isRegistry);
    for (const registry of this.registries) this.watchRegistry(registry);
    const orchestrators = instances.filter(isOrchestrator);
    for (const orchestrator of orchestrators) this.watchOrchestrator(orchestrator);
    this.knowsIntervals = orchestrators.length > 0;
  }

  /** Whether the application has a scheduler. */
  get hasScheduler(): boolean {
    return this.registries.length > 0;
  }

  /** Whether a call of an `@Interval` method outside of a firing is certain to be a plain call. */
  get recognizesIntervals(): boolean {
    return this.knowsIntervals;
  }

  /** Whether a cron job of this schedule is registered and running, by its name where the decorator gives one. */
  isMounted(ticks: CronTicks, name: string | undefined): boolean {
    return this.registries.some((registry) =>
      [...registry.getCronJobs()].some(
        ([key, job]) =>
          isActive(job) && (name === undefined ? this.ticks.of(job.cronTime) === ticks : key === name),
      ),
    );
  }

  private watchRegistry(registry: SchedulerRegistry): void {
    for (const job of registry.getCronJobs().values()) this.wrap(job);
    if (wrapped.has(registry)) return;
    wrapped.add(registry);
    const add = registry.addCronJob.bind(registry);
    registry.addCronJob = (name, job) => {
      add(name, job);
      this.wrap(job);
    };
  }

  private wrap(job: CronJob): void {
    if (wrapped.has(job)) return;
    wrapped.add(job);
    holdDuringCallbacks(job);
    const fireOnTick = job.fireOnTick.bind(job);
    job.fireOnTick = (...args) => {
      // `setTime` gives a job another schedule.
      const firing = new CronFiring(job, this.ticks.of(job.cronTime), this.clock(), this.clock);
      return fire(firing, () => fireOnTick(...args));
    };
  }

  private watchOrchestrator(orchestrator: Orchestrator): void {
    if (wrapped.has(orchestrator)) return;
    wrapped.add(orchestrator);
    const addCron = orchestrator.addCron.bind(orchestrator);
    orchestrator.addCron = (method, options) => {
      // A job is started before it is registered, and on a busy machine it fires in between.
      const early = (...args: unknown[]): unknown => {
        const ticks = this.ticks.of(cronTimeOf(options));
        return fire(new CronFiring(method, ticks, this.clock(), this.clock), () => method(...args));
      };
      addCron((...args) => (currentFiring() ? method(...args) : early(...args)), options);
    };
    const add = orchestrator.addInterval.bind(orchestrator);
    orchestrator.addInterval = (method, every, name) =>
      add(
        (...args) => fire(new IntervalFiring(every, this.clock(), this.clock), () => method(...args)),
        every,
        name,
      );
  }
}

/** A cron job does not await its callbacks, which can take longer than a tick: each keeps its firing open by itself. */
function holdDuringCallbacks(job: CronJob): void {
  const callbacks: unknown = Reflect.get(job, '_callbacks');
  if (!Array.isArray(callbacks)) return;
  for (const [index, callback] of callbacks.entries()) {
    callbacks[index] = function (this: unknown, ...args: unknown[]): unknown {
      return holdFiring(() => Reflect.apply(callback as () => unknown, this, args));
    };
  }
}

function isRegistry(instance: unknown): instance is SchedulerRegistry {
  // A mock can do anything, and returns anything.
  return (
    can(instance, 'addCronJob', 'getCronJobs') && (instance as SchedulerRegistry).getCronJobs() instanceof Map
  );
}

function isOrchestrator(instance: unknown): instance is Orchestrator {
  return can(instance, 'addCron', 'addInterval', 'mountIntervals');
}

function can(instance: unknown, ...methods: string[]): boolean {
  if (typeof instance !== 'object' || instance === null) return false;
  try {
    return methods.every((method) => typeof Reflect.get(instance, method) === 'function');
  } catch {
    // Such as a request-scoped proxy that may not be read now.
    return false;
  }
}

/** `cron` 3 calls it `running`. */
function isActive(job: CronJob): boolean {
  return job.isActive ?? Reflect.get(job, 'running') === true;
}
