import { Inject, Injectable, Logger } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import {
  type ExclusiveMethod,
  type MethodOfObject,
  methodsOf,
  placeOf,
} from '../decorators/exclusive-method.js';
import { nameIfValid, nameOf, patternOf } from '../decorators/job-name.js';
import { ReservedNames } from '../decorators/reserved-names.js';
import { listed } from '../display.js';
import { RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedJobOptions, ResolvedOptions } from '../options/options.js';
import { checkedOptions } from '../checks.js';
import { jobChecks, resolveJobOptions } from '../options/resolve-options.js';
import { currentFiring } from '../schedule/firing.js';
import { type Schedule, scheduleOf } from '../schedule/schedule-of.js';
import type { RunRequest } from '../runs/run-request.js';
import { checkForSchedule } from '../runs/schedule-checks.js';
import { spreadIn } from '../runs/spread.js';
import { JobRunner } from './job-runner.service.js';
import { outerRuns, ownRun } from '../runs/run-context.js';
import { Binding } from './binding.service.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

interface CheckedOptions {
  readonly options: ResolvedJobOptions;
  readonly schedule: Schedule;
}

/** A decorated method, with its provider or controller. */
interface FoundMethod extends MethodOfObject {
  readonly instance: object;
  /** Whether there is one object. If there is one per request or consumer, `instance` has not been constructed. */
  readonly isSingle: boolean;
}

/** A job that an instance declares. */
export interface DeclaredJob extends FoundMethod, CheckedOptions {
  readonly name: string;
  /** The pattern that stands for the job names of the method, if they depend on the call. */
  readonly pattern: string | undefined;
  /** Calls the method through all its decorators, as the scheduler does. */
  readonly call: () => unknown;
  /** Whether calls make their claims through this module: an application may import several. */
  readonly isOwn: boolean;
}

/** The decorated methods of the application: checks them at startup, and turns their calls into runs. */
@Injectable()
export class ExclusiveJobs {
  private readonly logger = new Logger('RedlockModule');
  private readonly resolved = new WeakMap<ExclusiveMethod, ResolvedJobOptions>();
  private readonly schedules = new WeakMap<object, Schedule>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly runner: JobRunner,
    private readonly leases: LeaseRegistry,
    private readonly firings: SchedulerFirings,
    private readonly discovery: DiscoveryService,
    private readonly binding: Binding,
  ) {
    binding.fill(this);
  }

  get isEnabled(): boolean {
    return this.options.enabled;
  }

  /** Whether shutdown has not begun. */
  get isOpen(): boolean {
    return !this.leases.isClosed;
  }

  /** Whether the caller is part of a run of this instance. */
  get isInRun(): boolean {
    return outerRuns(this.options).length > 0;
  }

  /**
   * Checks the decorated methods and their options.
   *
   * @returns The names of the jobs; `ClassName.method` if the name is a function.
   * @throws InvalidOptionError for invalid options of a job, and for a name that two jobs share.
   */
  check(): string[] {
    const reserved = new ReservedNames();
    const names = new Set<string>();
    const scheduled: string[] = [];
    const overridden: string[] = [];
    this.binding.bindAll();
    for (const found of this.found()) {
      const { method, instance } = found;
      const place = placeOf(instance, method.key);
      if (found.isOverridden) {
        overridden.push(place);
        continue;
      }
      const { schedule } = this.checked(found);
      if (schedule.kind !== 'none') scheduled.push(place);
      reserved.reserve(method, instance, schedule);
      names.add(typeof method.name === 'function' ? place : nameOf(method, instance, []));
    }
    if (scheduled.length > 0 && !this.firings.hasScheduler && this.options.enabled) {
      this.logger.warn(
        `ScheduleModule is missing, so nothing calls ${listed(scheduled)} on schedule: add ScheduleModule.forRoot() to ` +
          'the imports of AppModule, unless something else calls them',
      );
    }
    if (overridden.length > 0)
      this.logger.log(`Not guarding ${listed(overridden)}: overridden without @Exclusive`);
    return [...names];
  }

  /** The decorated methods that can be called, and have a name when they are called without arguments. */
  *declared(): Iterable<DeclaredJob> {
    for (const found of this.valid()) {
      const { method, instance, isSingle } = found;
      const name = isSingle ? nameIfValid(method, instance, []) : undefined;
      if (name === undefined) continue;
      const call = (): unknown => (Reflect.get(instance, method.key) as () => unknown).call(instance);
      const isOwn = this.binding.guards(instance);
      yield { ...found, name, pattern: patternOf(method, instance), call, isOwn };
    }
  }

  /** The decorated methods, each with its provider or controller. */
  *all(): Iterable<FoundMethod> {
    for (const each of this.found()) if (!each.isOverridden) yield each;
  }

  /** The same, without methods with invalid options, which only a module that was loaded after startup can have. */
  *valid(): Iterable<FoundMethod & CheckedOptions> {
    for (const each of this.all()) {
      let checked: CheckedOptions;
      try {
        checked = this.checked(each);
      } catch {
        continue;
      }
      yield { ...each, ...checked };
    }
  }

  private *found(): Iterable<FoundMethod> {
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const instance = wrapper.instance as object;
      const isSingle = wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
      for (const method of methodsOf(instance)) yield { ...method, instance, isSingle };
    }
  }

  /** Runs a call of a decorated method, or resolves to `undefined` if the call loses. */
  call(method: ExclusiveMethod, instance: object, args: never[]): unknown {
    const routine = (): unknown => Reflect.apply(method.original, instance, args);
    const firing = currentFiring();
    if (firing?.kind === 'manual' && firing.method === method) firing.hasCalled = true;
    // Within its own run, a method may call itself, or `super.method()`: such a call makes no claim.
    if (!this.isEnabled || ownRun(this.options, () => nameIfValid(method, instance, args))) return routine();
    return this.run(method, instance, args, routine);
  }

  private async run(
    method: ExclusiveMethod,
    instance: object,
    args: never[],
    routine: () => unknown,
  ): Promise<unknown> {
    const request = this.requestOf(method, instance, args);
    const outcome = await this.runner.run(request, routine);
    const { firing } = request;
    // Other jobs that are called in this firing do not decide its outcome.
    if (firing?.kind === 'manual' && firing.method === method) firing.outcome = outcome;
    return outcome.ran ? outcome.value : undefined;
  }

  private requestOf(method: ExclusiveMethod, instance: object, args: never[]): RunRequest {
    const name = nameOf(method, instance, args);
    const pattern = patternOf(method, instance) ?? name;
    const options = this.optionsOf(method, instance);
    const schedule = this.scheduleOf(method, instance);
    const firing = currentFiring();
    const where = whereOf(method, instance);
    if (firing?.kind === 'cron') {
      return { name, pattern, options, firing, spread: spreadIn(where, options, firing) };
    }
    if (firing?.kind === 'manual') {
      return { name, pattern, options: { ...options, every: undefined }, firing, trigger: 'manual' };
    }
    if (schedule.kind !== 'interval') return { name, pattern, options };
    // If the scheduler's calls cannot be recognized, every call counts as one of them: as plain calls, they would run
    // on every instance.
    if (!firing && this.firings.recognizesIntervals) return { name, pattern, options };
    const spread = firing && spreadIn(where, options, firing);
    const every = options.every ?? schedule.every;
    const trigger = firing ? undefined : 'schedule';
    return { name, pattern, options: { ...options, every }, firing, spread, trigger };
  }

  private checked({ method, instance }: FoundMethod): CheckedOptions {
    const options = this.optionsOf(method, instance);
    const schedule = this.scheduleOf(method, instance);
    checkForSchedule(whereOf(method, instance), options, schedule);
    return { options, schedule };
  }

  /** The options of a decorated method, with the defaults of the module. */
  optionsOf(method: ExclusiveMethod, instance: object): ResolvedJobOptions {
    const known = this.resolved.get(method);
    if (known) return known;
    const where = whereOf(method, instance);
    const checked = checkedOptions(where, method.options, jobChecks(this.options.nodeTimeout));
    const options = resolveJobOptions(where, checked, this.options.job);
    this.resolved.set(method, options);
    return options;
  }

  /** When the scheduler calls the method. */
  scheduleOf({ wrapper, key }: ExclusiveMethod, instance: object): Schedule {
    const schedule = this.scheduleOn(wrapper);
    if (schedule.kind !== 'none') return schedule;
    // Another decorator may have wrapped the method before the scheduler's decorator was applied.
    const outermost: unknown = Reflect.get(instance, key);
    return typeof outermost === 'function' ? this.scheduleOn(outermost) : schedule;
  }

  private scheduleOn(method: object): Schedule {
    const schedule = this.schedules.get(method) ?? scheduleOf(method, this.firings.ticks);
    this.schedules.set(method, schedule);
    return schedule;
  }
}

function whereOf(method: ExclusiveMethod, instance: object): string {
  return `@Exclusive on ${placeOf(instance, method.key)}`;
}
