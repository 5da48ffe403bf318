import { Inject, Injectable, Optional } from '@nestjs/common';
import { DiscoveryService, LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { CronJob } from 'cron';
import type { Clock } from '../clock.js';
import { hasMethods } from '../has-methods.js';
import { CLOCK } from '../redlock.module-definition.js';
import { callbacksOf, holdDuringCallbacks } from '../schedule/cron-job-callbacks.js';
import { isActive, watchStarts } from '../schedule/cron-job-starts.js';
import { CronJobTimes } from '../schedule/cron-job-times.js';
import { CronFiring, currentFiring, fire, IntervalFiring, ManualFiring } from '../schedule/firing.js';
import { isCronJob, isOrchestrator, isRegistry, type Orchestrator } from '../schedule/nest-scheduler.js';
import {
  type CronJobKey,
  type CronOptions,
  type CronSchedule,
  cronTimeOf,
  type IntervalSchedule,
  type Schedule,
  ticksOf,
} from '../schedule/schedule-of.js';
import { SharedTicks } from '../schedule/shared-ticks.js';
import type { CronTicks, Tick } from '../schedule/cron-ticks.js';

/** What has been wrapped by any application of this process: wrapping twice would nest one firing in another. */
const wrapped = new WeakSet<object>();
/** The options of the `@Cron` of each callback, and of the cron job that was made from it. */
const decoratedWith = new WeakMap<object, CronOptions>();

/**
 * Turns the calls of the scheduler into firings. Which calls of a method belong to a firing is decided by
 * `ExclusiveJobs` and `JobRunner`.
 */
@Injectable()
export class SchedulerFirings {
  /** The ticks of all schedules of this application. */
  readonly ticks = new SharedTicks();
  /**
   * Called when a cron job starts or its times are set, and if it is already started when it is first seen. The keys
   * are those that methods may know the cron job by.
   */
  onStart: (keys: readonly CronJobKey[]) => void = () => {};
  /** Called when a module has been loaded that the application did not have before. */
  readonly onLoad: (() => void)[] = [];
  /** The registries and cron jobs that this object watches; one application may have several `SchedulerFirings`. */
  private readonly watched = new WeakSet<object>();
  /** The times of the cron jobs of decorated methods. */
  private readonly times = new CronJobTimes(this.ticks);
  private registries: readonly SchedulerRegistry[] = [];
  /** Whether a call of an `@Interval` method outside a firing is certain to be a plain call. */
  recognizesIntervals = false;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly discovery: DiscoveryService,
    /** Stands for the application, of which a process may have several. */
    readonly application: ModulesContainer,
    loader: LazyModuleLoader,
    @Optional() registry?: SchedulerRegistry,
  ) {
    // A constructor or a factory may start a job, which can fire while providers are still being created.
    if (registry && isRegistry({ token: SchedulerRegistry, instance: registry }))
      this.watchRegistry(registry);
    this.watchLoader(loader);
  }

  /**
   * Wraps all cron jobs that are or will be registered, and the intervals that will be mounted. Must be called before
   * any other module starts: a job that fires earlier runs on every instance.
   */
  watch(): void {
    const providers = this.discovery.getProviders();
    this.registries = providers.filter(isRegistry).map(({ instance }) => instance as SchedulerRegistry);
    for (const registry of this.registries) this.watchRegistry(registry);
    const orchestrators = providers.map(({ instance }): unknown => instance).filter(isOrchestrator);
    for (const orchestrator of orchestrators) this.watchOrchestrator(orchestrator);
    this.recognizesIntervals = orchestrators.length > 0;
  }

  /** Whether the application has a scheduler. */
  get hasScheduler(): boolean {
    return this.registries.length > 0;
  }

  /**
   * What calls a decorated method at the times that its decorator sets: a started cron job; for a registered interval,
   * its `Schedule` object stands for the caller. Intervals without a name cannot be told apart.
   */
  sourceOf(schedule: Schedule): object | undefined {
    if (schedule.kind === 'interval') {
      const { name } = schedule;
      const intervals = this.registries.flatMap((registry) => registry.getIntervals());
      return (name === undefined ? intervals.length > 0 : intervals.includes(name)) ? schedule : undefined;
    }
    const ticks = schedule.kind === 'cron' && ticksOf(schedule);
    if (!ticks) return undefined;
    for (const job of this.cronJobsOf(schedule)) if (this.follows(job, ticks)) return job;
    return undefined;
  }

  /**
   * Whether all registered cron jobs of a decorated method call it at the times that its decorator sets. Objects of one
   * class, each with its cron job, cannot be told apart: if one of these jobs is stopped, it might be that of any
   * object.
   */
  callsAll(schedule: CronSchedule): boolean {
    const ticks = ticksOf(schedule);
    const jobs = [...this.registeredFor(schedule)];
    return ticks !== undefined && jobs.length > 0 && jobs.every(([, job]) => this.follows(job, ticks));
  }

  /** Since when the cron jobs of a method have their present times; `-Infinity` if these have never changed. */
  followedSince(schedule: CronSchedule): number {
    return Math.max(...[...this.registeredFor(schedule)].map(([key]) => this.times.since(key)));
  }

  /** The started cron jobs of a decorated method, whatever times they have been given since. */
  *cronJobsOf(schedule: CronSchedule): Iterable<CronJob> {
    for (const [, job] of this.registeredFor(schedule)) if (isActive(job)) yield job;
  }

  private *registeredFor({ name, options }: CronSchedule): Iterable<[key: string, job: CronJob]> {
    for (const registry of this.registries) {
      for (const [key, job] of registry.getCronJobs()) {
        if (!isCronJob(job)) continue;
        if (name === undefined ? decoratedWith.get(job) === options : key === name) yield [key, job];
      }
    }
  }

  /** Whether a source (a cron job, or the schedule of an interval) is still active, on the same schedule. */
  follows(source: object, schedule: CronTicks | number): boolean {
    if (!this.isRunning(source)) return false;
    if (!('cronTime' in source) || typeof schedule === 'number') return true;
    return this.ticks.of((source as CronJob).cronTime).fingerprint === schedule.fingerprint;
  }

  /** Whether a source is still active, on whatever schedule. */
  isRunning(source: object): boolean {
    if ('every' in source) return this.sourceOf(source as IntervalSchedule) !== undefined;
    return !('cronTime' in source) || isActive(source as CronJob);
  }

  /** Whether both sources are cron jobs of one decorated method, perhaps on different objects. */
  areOfOneMethod(a: object, b: object): boolean {
    return a === b || (decoratedWith.has(a) && decoratedWith.get(a) === decoratedWith.get(b));
  }

  /** The call of a cron job of this application. */
  ofCron(source: object, ticks: CronTicks, tick?: Tick): CronFiring {
    return new CronFiring(source, ticks, this.clock.now(), this.clock, tick, this.application);
  }

  /** The call of an `@Interval` method of this application. */
  ofInterval(every: number): IntervalFiring {
    return new IntervalFiring(every, this.clock.now(), this.clock, this.application);
  }

  /** The call of a decorated method by `RedlockService.trigger` of this application. */
  ofTrigger(method: object): ManualFiring {
    return new ManualFiring(method, this.application);
  }

  /** A module that is loaded later may bring the first registry, or one of its own. */
  private watchLoader(loader: LazyModuleLoader): void {
    // A test may replace it.
    if (!hasMethods(loader, 'load')) return;
    const load = loader.load.bind(loader);
    loader.load = async (...args) => {
      const known = new Set(this.application.keys());
      const loaded = await load(...args);
      // Nest loads a module once, although `load` may be called for each request.
      if ([...this.application.keys()].some((module) => !known.has(module))) {
        this.watch();
        for (const callback of this.onLoad) callback();
      }
      return loaded;
    };
  }

  private watchRegistry(registry: SchedulerRegistry): void {
    for (const [key, job] of registry.getCronJobs()) this.watchCronJob(key, job);
    if (this.watched.has(registry)) return;
    this.watched.add(registry);
    const add = registry.addCronJob.bind(registry);
    registry.addCronJob = (...args) => {
      const added = add(...args);
      this.watchCronJob(...args);
      return added;
    };
  }

  private watchCronJob(key: string, job: CronJob): void {
    if (!isCronJob(job)) return;
    this.wrap(job);
    if (this.watched.has(job)) return;
    this.watched.add(job);
    const options = decoratedWith.get(job);
    this.times.note(key, job, this.clock.now(), options !== undefined);
    watchStarts(job, () => {
      this.times.note(key, job, this.clock.now());
      this.onStart(options ? [key, options] : [key]);
    });
  }

  private wrap(job: CronJob): void {
    if (wrapped.has(job)) return;
    wrapped.add(job);
    for (const callback of callbacksOf(job)) {
      const options = decoratedWith.get(Object(callback) as object);
      if (options) decoratedWith.set(job, options);
    }
    holdDuringCallbacks(job);
    const fireOnTick = job.fireOnTick.bind(job);
    job.fireOnTick = (...args) => {
      // Read each time, because `setTime` changes the schedule of a job.
      return fire(this.ofCron(job, this.ticks.of(job.cronTime)), () => fireOnTick(...args));
    };
  }

  /**
   * Calls a method whose cron job fires before it is registered, and so before it is wrapped. The scheduler starts a
   * cron job before it registers it; a job that is late by then, as on a busy machine, fires at once.
   */
  protected fireEarly(
    method: (...args: unknown[]) => unknown,
    options: CronOptions,
    args: unknown[],
  ): unknown {
    const ticks = this.ticks.of(cronTimeOf(options));
    return fire(this.ofCron(method, ticks), () => method(...args));
  }

  private watchOrchestrator(orchestrator: Orchestrator): void {
    if (wrapped.has(orchestrator)) return;
    wrapped.add(orchestrator);
    const addCron = orchestrator.addCron.bind(orchestrator);
    orchestrator.addCron = (method, options, ...rest) => {
      const callback = (...args: unknown[]): unknown =>
        currentFiring() ? method(...args) : this.fireEarly(method, options, args);
      decoratedWith.set(callback, options);
      return addCron(callback, options, ...rest);
    };
    const add = orchestrator.addInterval.bind(orchestrator);
    orchestrator.addInterval = (method, every, ...rest) =>
      add((...args) => fire(this.ofInterval(every), () => method(...args)), every, ...rest);
  }
}
