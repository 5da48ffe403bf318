import { Inject } from '@nestjs/common';
import { severalCopies } from '../copies.js';
import { InvalidOptionError, NotInjectedError } from '../errors.js';
import type { JobName, JobOptions } from '../options/options.js';
import { Binding, bindingOf, inject, MOCKED } from '../services/binding.service.js';
import { declareExclusive, type ExclusiveMethod, isDeclared, placeOf } from './exclusive-method.js';
import { jobName } from './job-name.js';

/** The property into which Nest injects `Binding`. If the provider is missing, Nest shows this description. */
const BINDING = Symbol(
  '@Exclusive: add RedlockModule.forRoot(...) to the imports of AppModule, from the same copy of nestjs-exclusive',
);

/** Nest assigns to this property. A setter keeps that from failing for an object that is frozen or sealed. */
const INJECTED: PropertyDescriptor & ThisType<object> = {
  configurable: true,
  set(injected: unknown) {
    inject(this, injected);
  },
};

/**
 * The method decorator that `@Exclusive` returns.
 *
 * @typeParam Name The function that names the job, which must accept the arguments of the method.
 */
export interface ExclusiveDecorator<Name extends (...args: never[]) => unknown = () => string> {
  /** @typeParam Method The type of the method (unconstrained). */
  <Method extends (...args: never[]) => unknown>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Method> &
      (Name extends (...args: Parameters<Method>) => unknown
        ? unknown
        : 'The name does not take these arguments'),
  ): void;
  /**
   * `applyDecorators` of NestJS needs this overload. On a property, TypeScript selects it, and reports an error,
   * because a decorator must not return a string.
   */
  (target: object, key: string | symbol): 'Put @Exclusive on a method';
}

/**
 * Runs each tick of this method on one instance of the fleet. Can be placed above or below `@Cron`, `@Interval` or
 * `@Timeout`, or on any method of a provider or controller.
 *
 * - With `@Cron`, each scheduled time runs at most once across the fleet, and once if any instance can reach a quorum,
 *   unless an earlier run is still in progress.
 * - With `@Interval`, it runs at most once per interval across the fleet.
 * - If a cron job in `SchedulerRegistry` calls the method, the call belongs to the tick of that cron job.
 * - On anything else, and for plain calls such as `service.report()`, runs do not overlap, unless `overlap` is
 *   `'allow'`.
 *
 * A call that loses resolves to `undefined`; a call that wins resolves or rejects as the method does. It also rejects
 * if the method returns an Observable or a generator, whose work would begin after the lock is released.
 *
 * @param name The name of the job, across the fleet: a string, or a function of the arguments of the call, such as ``
 * (tenant: string) => `report:${tenant}` ``. Default: `ClassName.method`.
 * @param options The options of the job. If the module has the same option, its value there is the default.
 * @throws InvalidOptionError if it decorates anything but a method, or a method twice, or has an invalid name. Invalid
 * options, and a name that two methods share, are reported when the application starts.
 *
 * @example
 * `@Cron('0 0 6 * * *') @Exclusive('report') async report() {}`
 */
export function Exclusive<Args extends unknown[]>(
  name: (...args: Args) => string,
  options?: JobOptions,
): ExclusiveDecorator<(...args: Args) => string>;
/**
 * Runs each tick of the method on one instance of the fleet, as the job `name`. Default: `ClassName.method`. See the
 * first overload for more.
 *
 * @example
 * `@Cron('0 0 6 * * *') @Exclusive('report') async report() {}`
 */
export function Exclusive(name?: JobName, options?: JobOptions): ExclusiveDecorator;
/** Runs each tick of the method on one instance of the fleet, as the job `ClassName.method`. */
export function Exclusive(options: JobOptions): ExclusiveDecorator;
export function Exclusive(
  nameOrOptions?: JobName | JobOptions,
  optionsAfterName: JobOptions = {},
  uncalled?: PropertyDescriptor,
): ExclusiveDecorator {
  if (uncalled) refuseUncalled(nameOrOptions, optionsAfterName);
  const [name, options] =
    typeof nameOrOptions === 'object' && nameOrOptions !== null
      ? [undefined, nameOrOptions]
      : [nameOrOptions, optionsAfterName];
  const decorate = (target: object, key: string | symbol, descriptor?: PropertyDescriptor): void => {
    refuseStandard(key);
    const method = placeOf(target, key);
    const place = `@Exclusive on ${method}`;
    const original: unknown = descriptor?.value;
    if (!descriptor || typeof original !== 'function' || typeof target === 'function') {
      throw new InvalidOptionError(
        method,
        '@Exclusive',
        'must decorate an instance method, not a static one or a property',
      );
    }
    if (isDeclared(target, key)) {
      throw new InvalidOptionError(method, '@Exclusive', 'must decorate a method only once');
    }
    if (name !== undefined && typeof name !== 'function') jobName(place, 'name', name);
    if (isClass(name)) throw new InvalidOptionError(place, 'name', 'must be a function, not a class');
    const wrapper = new Proxy(original as ExclusiveMethod['original'], {
      apply: (undecorated, instance: object, args: never[]): unknown => {
        const binding = bindingOf(instance);
        if (!binding) throw new NotInjectedError(method, severalCopies());
        if (binding === MOCKED) return Reflect.apply(undecorated, instance, args);
        return binding.call(exclusive, instance, args);
      },
    });
    const exclusive: ExclusiveMethod = {
      wrapper,
      original: original as ExclusiveMethod['original'],
      key,
      name,
      options,
    };
    for (const metadataKey of Reflect.getMetadataKeys(original)) {
      Reflect.defineMetadata(metadataKey, Reflect.getMetadata(metadataKey, original), wrapper);
    }
    declareExclusive(target, exclusive);
    Inject(Binding)(target, BINDING);
    if (!(BINDING in target)) Object.defineProperty(target, BINDING, INJECTED);
    descriptor.value = wrapper;
  };
  return decorate as ExclusiveDecorator;
}

/** Without parentheses, `Exclusive` itself is called with what a decorator gets: a prototype, a key and a descriptor. */
function refuseUncalled(target: unknown, key: unknown): never {
  throw new InvalidOptionError(
    placeOf(target, key as string | symbol),
    '@Exclusive',
    "must be written with parentheses: @Exclusive() or @Exclusive('report')",
  );
}

/** Without `experimentalDecorators`, compilers call a decorator with the method and a context object. */
function refuseStandard(context: unknown): void {
  if (typeof context !== 'object' || context === null) return;
  throw new InvalidOptionError(
    String(Reflect.get(context, 'name')),
    '@Exclusive',
    'was compiled as a standard (stage 3) decorator; NestJS needs "experimentalDecorators": true in tsconfig.json, or what your compiler calls it, such as legacyDecorator for SWC',
  );
}

function isClass(name: unknown): boolean {
  return typeof name === 'function' && /^class[\s{]/.test(Function.prototype.toString.call(name));
}
