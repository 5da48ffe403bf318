import { InvalidOptionError } from '../errors.js';
import type { JobName, JobOptions } from '../options/options.js';

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

/** The decorated methods of an object, by their keys; of two that override each other, the one that wins. */
export function methodsOf(instance: unknown): Map<string | symbol, ExclusiveMethod> {
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

/** Where a method is, for messages. */
export function placeOf(instance: object, key: string | symbol): string {
  return `${instance.constructor.name}.${String(key)}`;
}

/** The name of the job that a call is for. Throws `InvalidOptionError` if a function makes an empty one. */
export function nameOf({ name, key }: ExclusiveMethod, instance: object, args: never[]): string {
  if (typeof name === 'string') return name;
  const place = placeOf(instance, key);
  if (name === undefined) return place;
  const made: unknown = Reflect.apply(name, instance, args);
  if (typeof made === 'string' && made !== '') return made;
  throw new InvalidOptionError(
    `What the name function of @Exclusive on ${place} returned`,
    made,
    'return a non-empty string',
  );
}
