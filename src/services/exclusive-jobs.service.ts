import { Inject, Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { InvalidOptionError } from '../redlock.errors.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import {
  type JobOptions,
  type ResolvedJobOptions,
  type ResolvedOptions,
  resolveJobOptions,
} from '../redlock.options.js';
import { type CronTicks, type Schedule, scheduleOf } from '../schedule/tick.js';
import { JobRunner, type RunRequest } from './job-runner.service.js';

/**
 * The name of a job: a text, or a function of the arguments of the call. It must not be empty; a function that returns
 * an empty name makes the call reject with an `InvalidOptionError`.
 */
export type JobName = string | ((...args: never[]) => string);

/** A method with `@Exclusive`. */
export interface ExclusiveMethod {
  /** What was decorated, with the metadata of all its decorators. */
  readonly wrapper: object;
  readonly original: (...args: never[]) => unknown;
  readonly key: string | symbol;
  /** Left out: the class of the instance and the method. */
  readonly name: JobName | undefined;
  readonly options: JobOptions;
}

/** Marks the functions that `@Exclusive` made, with their `ExclusiveMethod`. */
export const EXCLUSIVE_METHOD = Symbol('EXCLUSIVE_METHOD');

/** The decorated methods of the application: checks them at start, and turns their calls into runs. */
@Injectable()
export class ExclusiveJobs {
  private readonly options = new WeakMap<ExclusiveMethod, ResolvedJobOptions>();
  private readonly schedules = new WeakMap<object, Schedule>();
  /** Methods with the same cron expression share its ticks: it takes long to work them out. */
  private readonly crons = new Map<string, CronTicks>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly moduleOptions: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: () => number,
    private readonly runner: JobRunner,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** @throws InvalidOptionError for wrong options of a job, and for a name that stands on two methods. */
  check(): void {
    const owners = new Map<string, Owner>();
    for (const { method, instance } of this.all()) {
      this.optionsOf(method, instance);
      const schedule = this.scheduleOf(method, instance);
      if (schedule.kind === 'cron') schedule.ticks.prepare(this.clock());
      this.claimName(method, instance, owners);
    }
  }

  /** The decorated methods, each with the provider or controller that it stands on. */
  *all(): Iterable<{ readonly method: ExclusiveMethod; readonly instance: object }> {
    for (const { instance } of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      for (const method of this.methodsOf(instance)) yield { method, instance: instance as object };
    }
  }

  /** Runs a call of a decorated method, or resolves to `undefined` where another instance does. */
  call(method: ExclusiveMethod, instance: object, args: never[]): unknown {
    const routine = (): unknown => Reflect.apply(method.original, instance, args);
    return this.moduleOptions.enabled ? this.run(method, instance, args, routine) : routine();
  }

  private async run(
    method: ExclusiveMethod,
    instance: object,
    args: never[],
    routine: () => unknown,
  ): Promise<unknown> {
    const outcome = await this.runner.run(this.requestOf(method, instance, args), routine);
    return outcome.ran ? outcome.value : undefined;
  }

  private requestOf(method: ExclusiveMethod, instance: object, args: never[]): RunRequest {
    const now = this.clock();
    const name = nameOf(method, instance, args);
    const options = this.optionsOf(method, instance);
    const schedule = this.scheduleOf(method, instance);
    switch (schedule.kind) {
      case 'none':
        return { name, options, tick: undefined };
      case 'interval': {
        const every = args.length === 0 ? (options.every ?? schedule.every) : options.every;
        return { name, options: { ...options, every }, tick: undefined };
      }
      case 'cron': {
        // A cron job calls with one argument, its `onComplete`, which @nestjs/schedule leaves undefined.
        const isTick = args.length === 1 && args[0] === undefined;
        const tick = isTick ? schedule.ticks.latest(now) : undefined;
        schedule.ticks.prepareSoon(this.clock);
        return { name, options, tick };
      }
    }
  }

  private *methodsOf(instance: unknown): Iterable<ExclusiveMethod> {
    if (typeof instance !== 'object' || instance === null) return;
    for (const key of this.scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object)) {
      const method: unknown = Reflect.get(instance, key);
      if (typeof method !== 'function') continue;
      const exclusive: unknown = Reflect.getMetadata(EXCLUSIVE_METHOD, method);
      if (exclusive !== undefined) yield exclusive as ExclusiveMethod;
    }
  }

  private optionsOf(method: ExclusiveMethod, instance: object): ResolvedJobOptions {
    const known = this.options.get(method);
    if (known) return known;
    const { nodeTimeout, job } = this.moduleOptions;
    const place = placeOf({ type: instance.constructor, key: method.key });
    const options = resolveJobOptions(method.options, nodeTimeout, job, `@Exclusive on ${place}: `);
    this.options.set(method, options);
    return options;
  }

  /** When the scheduler calls the method. */
  scheduleOf({ wrapper, key }: ExclusiveMethod, instance: object): Schedule {
    const schedule = this.scheduleOn(wrapper);
    if (schedule.kind !== 'none') return schedule;
    // Another decorator can have wrapped the method before that of the scheduler came to it.
    const outermost: unknown = Reflect.get(instance, key);
    return typeof outermost === 'function' ? this.scheduleOn(outermost) : schedule;
  }

  private scheduleOn(method: object): Schedule {
    const schedule = this.schedules.get(method) ?? scheduleOf(method, this.crons);
    this.schedules.set(method, schedule);
    return schedule;
  }

  private claimName(method: ExclusiveMethod, instance: object, owners: Map<string, Owner>): void {
    if (typeof method.name === 'function') return;
    const name = nameOf(method, instance, []);
    const owner = { type: instance.constructor, key: method.key };
    const other = owners.get(name);
    if (other && (other.type !== owner.type || other.key !== owner.key)) {
      throw new InvalidOptionError(
        `The job name on ${placeOf(owner)}`,
        name,
        `${placeOf(other)} has it already, and they would take each other's ticks; give each method a name of its own`,
      );
    }
    owners.set(name, owner);
  }
}

/** The method that has a name. */
interface Owner {
  readonly type: { readonly name: string };
  readonly key: string | symbol;
}

function placeOf({ type, key }: Owner): string {
  return `${type.name}.${String(key)}`;
}

function nameOf({ name, key }: ExclusiveMethod, instance: object, args: never[]): string {
  if (typeof name === 'string') return name;
  const place = placeOf({ type: instance.constructor, key });
  if (name === undefined) return place;
  const made: unknown = Reflect.apply(name, instance, args);
  if (typeof made === 'string' && made !== '') return made;
  throw new InvalidOptionError(
    `What the name function of @Exclusive on ${place} returned`,
    made,
    'return a text that is not empty',
  );
}
