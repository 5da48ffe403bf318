import { Inject, Injectable, Logger } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { InvalidOptionError, quoted } from '../errors.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { JobName, JobOptions, ResolvedJobOptions, ResolvedOptions } from '../options/options.js';
import { resolveJobOptions } from '../options/resolve-options.js';
import { currentFiring } from '../schedule/firing.js';
import { type Schedule, scheduleOf } from '../schedule/schedule-of.js';
import { JobRunner, type RunRequest } from './job-runner.service.js';
import { runContext } from '../runs/run-context.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

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

/** The decorated methods of each prototype, by their keys. */
const declared = new WeakMap<object, Map<string | symbol, ExclusiveMethod>>();

/**
 * Keeps a method that `@Exclusive` has decorated. Its metadata are not enough to find it again: decorators of other
 * packages wrap it without copying them.
 */
export function declareExclusive(prototype: object, method: ExclusiveMethod): void {
  const methods = declared.get(prototype) ?? new Map<string | symbol, ExclusiveMethod>();
  declared.set(prototype, methods.set(method.key, method));
}

/** The decorated methods of an object, by their keys; where one overrides another, the one that does. */
function methodsOf(instance: unknown): Map<string | symbol, ExclusiveMethod> {
  const methods = new Map<string | symbol, ExclusiveMethod>();
  if (typeof instance !== 'object' || instance === null) return methods;
  let prototype: unknown = Object.getPrototypeOf(instance);
  while (typeof prototype === 'object' && prototype !== null) {
    for (const [key, method] of declared.get(prototype) ?? []) {
      if (!methods.has(key)) methods.set(key, method);
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  return methods;
}

/** A job as an instance declares it. */
export interface DeclaredJob {
  readonly name: string;
  readonly options: ResolvedJobOptions;
  readonly schedule: Schedule;
  /** Calls the method, with all decorators that are on it, as the scheduler does. */
  readonly call: () => unknown;
}

/** By what the instances call their jobs. */
const bound = new WeakMap<object, ExclusiveJobs>();

/** The decorated methods of the application: checks them at start, and turns their calls into runs. */
@Injectable()
export class ExclusiveJobs {
  private readonly logger = new Logger('RedlockModule');
  readonly #options = new WeakMap<ExclusiveMethod, ResolvedJobOptions>();
  private readonly schedules = new WeakMap<object, Schedule>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly moduleOptions: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: () => number,
    private readonly runner: JobRunner,
    private readonly firings: SchedulerFirings,
    private readonly discovery: DiscoveryService,
  ) {}

  /** What an instance of a decorated class that Nest did not inject into calls its jobs through. */
  static boundTo(instance: unknown): ExclusiveJobs | undefined {
    return bound.get(instance as object);
  }

  /** Whether it is not a stand-in, such as a mock for a unit test. */
  static is(jobs: unknown): jobs is ExclusiveJobs {
    return typeof jobs === 'object' && jobs !== null && #options in jobs;
  }

  /**
   * Makes the decorated methods ready for their calls.
   *
   * @returns The names of the jobs; `ClassName.method` for one whose name is a function.
   * @throws InvalidOptionError for wrong options of a job, and for a name that two jobs have.
   */
  check(): string[] {
    const owners = new Map<string, Owner>();
    const names = new Set<string>();
    let isScheduled = false;
    for (const { method, instance } of this.all()) {
      // Nest injects into what it makes from a class, and not into what a factory returns.
      bound.set(instance, this);
      this.optionsOf(method, instance);
      const schedule = this.scheduleOf(method, instance);
      if (schedule.kind === 'cron') schedule.ticks.prepare(this.clock());
      isScheduled ||= schedule.kind !== 'none';
      this.claimName({ type: instance.constructor, key: method.key, instance, schedule }, method, owners);
      names.add(
        typeof method.name === 'function'
          ? placeOf({ type: instance.constructor, key: method.key })
          : nameOf(method, instance, []),
      );
    }
    if (isScheduled && !this.firings.hasScheduler && this.moduleOptions.enabled) {
      this.logger.warn(
        'No scheduler calls the jobs: add ScheduleModule.forRoot() to the imports of AppModule',
      );
    }
    return [...names];
  }

  /** The decorated methods whose name does not depend on the arguments of a call. */
  *declared(): Iterable<DeclaredJob> {
    for (const { method, instance } of this.all()) {
      const options = this.optionsOf(method, instance);
      const call = (): unknown =>
        Reflect.apply(Reflect.get(instance, method.key) as () => unknown, instance, []);
      let name: string;
      try {
        name = nameOf(method, instance, []);
      } catch {
        continue;
      }
      yield { name, options, schedule: this.scheduleOf(method, instance), call };
    }
  }

  /** The decorated methods, each with the provider or controller that it stands on. */
  *all(): Iterable<{ readonly method: ExclusiveMethod; readonly instance: object }> {
    for (const { instance } of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      for (const method of methodsOf(instance).values()) yield { method, instance: instance as object };
    }
  }

  /** Runs a call of a decorated method, or resolves to `undefined` where another instance does. */
  call(method: ExclusiveMethod, instance: object, args: never[]): unknown {
    const routine = (): unknown => Reflect.apply(method.original, instance, args);
    if (!this.moduleOptions.enabled || isSuperCall(method, instance, args)) return routine();
    return this.run(method, instance, args, routine);
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
    const name = nameOf(method, instance, args);
    const options = this.optionsOf(method, instance);
    const schedule = this.scheduleOf(method, instance);
    const firing = currentFiring();
    if (firing?.kind === 'cron') return { name, options, firing };
    if (schedule.kind !== 'interval') return { name, options };
    // Where the scheduler's calls cannot be told from others, every call counts: otherwise each instance would run.
    if (!firing && this.firings.recognizesIntervals) return { name, options };
    return { name, options: { ...options, every: options.every ?? schedule.every }, firing };
  }

  private optionsOf(method: ExclusiveMethod, instance: object): ResolvedJobOptions {
    const known = this.#options.get(method);
    if (known) return known;
    const { nodeTimeout, job } = this.moduleOptions;
    const place = placeOf({ type: instance.constructor, key: method.key });
    const options = resolveJobOptions(method.options, nodeTimeout, job, `@Exclusive on ${place}: `);
    this.#options.set(method, options);
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
    const schedule = this.schedules.get(method) ?? scheduleOf(method, this.firings.ticks);
    this.schedules.set(method, schedule);
    return schedule;
  }

  private claimName(owner: Owner, method: ExclusiveMethod, owners: Map<string, Owner>): void {
    if (typeof method.name === 'function') return;
    const name = nameOf(method, owner.instance, []);
    const isDefault = method.name === undefined;
    if (isDefault && looksMinified(owner.type.name)) {
      this.logger.warn(
        `The default job name ${quoted(name)} looks minified. Two builds can give a job different names, and run its ticks ` +
          `twice: name the job, as in @Exclusive('report'), or keep class names in the bundle`,
      );
    }
    const other = owners.get(name);
    owners.set(name, owner);
    if (!other || (other.instance === owner.instance && other.key === owner.key)) return;
    if (other.type !== owner.type || other.key !== owner.key) {
      throw new InvalidOptionError(
        `The job name on ${placeOf(owner)}`,
        name,
        `${placeOf(other)} has it already, and they would take each other's ticks; give each method a name of its own` +
          (isDefault ? ', or keep class names if the bundle is minified' : ''),
      );
    }
    // Two objects may well exclude each other; but each tick would run on only one of them.
    if (owner.schedule.kind === 'none') return;
    throw new InvalidOptionError(
      `The job name on ${placeOf(owner)}`,
      name,
      `two objects of that class have it, so that only one of them would run each tick; provide the class once ` +
        '(useExisting gives it a second token), or name the job by its object, as in ' +
        '@Exclusive(function () { return `export:${this.tenant}`; })',
    );
  }
}

/** Whether a run of an overriding method calls the one that it overrides, which has the same name. */
function isSuperCall(method: ExclusiveMethod, instance: object, args: never[]): boolean {
  const run = runContext.getStore();
  return (
    run !== undefined &&
    methodsOf(instance).get(method.key) !== method &&
    nameOf(method, instance, args) === run.name
  );
}

/** The method that has a name. */
interface Owner {
  readonly type: { readonly name: string };
  readonly key: string | symbol;
  readonly instance: object;
  readonly schedule: Schedule;
}

function placeOf({ type, key }: Pick<Owner, 'type' | 'key'>): string {
  return `${type.name}.${String(key)}`;
}

/** Whether a minifier may have made the name of a class: one or two characters, or three that are not a word. */
function looksMinified(name: string): boolean {
  return name.length <= 2 || (name.length === 3 && !/^[A-Z][a-z]+$|^[A-Z]+$/.test(name));
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
