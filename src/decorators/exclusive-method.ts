import { text } from '../options/checks.js';
import type { JobName, JobOptions } from '../options/options.js';

/** A method decorated with `@Exclusive`. */
export interface ExclusiveMethod {
  /** The function that replaces the method, with the metadata of all its decorators. */
  readonly wrapper: object;
  readonly original: (...args: never[]) => unknown;
  readonly key: string | symbol;
  /** `undefined`: the name of the instance's class and of the method. */
  readonly name: JobName | undefined;
  readonly options: JobOptions;
}

/** The decorated methods of each prototype, by key. */
const declared = new WeakMap<object, Map<string | symbol, ExclusiveMethod>>();
/** The decorated methods, by their wrapper. */
const byWrapper = new WeakMap<object, ExclusiveMethod>();
/** What `copiedTo` has found: looking takes time for each prototype. */
const copies = new WeakMap<object, readonly ExclusiveMethod[]>();

/**
 * Registers a method decorated with `@Exclusive`. Metadata would not be enough to find it again: decorators of other
 * packages wrap the method without copying them.
 */
export function declareExclusive(prototype: object, method: ExclusiveMethod): void {
  const methods = declared.get(prototype) ?? new Map<string | symbol, ExclusiveMethod>();
  declared.set(prototype, methods.set(method.key, method));
  byWrapper.set(method.wrapper, method);
}

/** The decorated methods of an object, by key; if one overrides another, only the overriding one. */
export function methodsOf(instance: unknown): Map<string | symbol, ExclusiveMethod> {
  const methods = new Map<string | symbol, ExclusiveMethod>();
  if (typeof instance !== 'object' || instance === null) return methods;
  let prototype: unknown = Object.getPrototypeOf(instance);
  while (typeof prototype === 'object' && prototype !== null) {
    for (const [key, method] of declared.get(prototype) ?? []) {
      if (!methods.has(key)) methods.set(key, method);
    }
    for (const method of copiedTo(prototype)) if (!methods.has(method.key)) methods.set(method.key, method);
    prototype = Object.getPrototypeOf(prototype);
  }
  return methods;
}

/** The decorated methods among a prototype's own properties, to which mixins copy them. */
function copiedTo(prototype: object): readonly ExclusiveMethod[] {
  const known = copies.get(prototype);
  if (known) return known;
  const methods = valuesOf(prototype).flatMap((value) => byWrapper.get(Object(value) as object) ?? []);
  copies.set(prototype, methods);
  return methods;
}

function valuesOf(prototype: object): unknown[] {
  try {
    return Object.values(Object.getOwnPropertyDescriptors(prototype)).map(({ value }): unknown => value);
  } catch {
    // A proxy may refuse to be read.
    return [];
  }
}

/** The place of a decorator or a method: `ClassName.method`, or only the class if there is no method. */
export function placeOf(target: unknown, key?: string | symbol): string {
  const { constructor } = Object(target) as { readonly constructor?: unknown };
  const owner: unknown = typeof target === 'function' ? target : constructor;
  const name = typeof owner === 'function' ? owner.name : 'Object';
  return key === undefined ? name : `${name}.${String(key)}`;
}

/** Whether a method of this prototype, not of one that it inherits from, has been registered. */
export function isDeclared(prototype: object, key: string | symbol): boolean {
  return declared.get(prototype)?.has(key) ?? false;
}

/** Checks the name of a job. */
export const jobName = text('report');

/** The pattern that stands for the job names of a method, if they depend on the call; otherwise `undefined`. */
export function patternOf({ name, key }: ExclusiveMethod, instance: object): string | undefined {
  return typeof name === 'function' ? `${placeOf(instance, key)}(…)` : undefined;
}

/**
 * The name of the job for a call. Throws `InvalidOptionError` if a name function returns anything but a non-empty
 * string.
 */
export function nameOf({ name, key }: ExclusiveMethod, instance: object, args: never[]): string {
  if (typeof name === 'string') return name;
  const place = placeOf(instance, key);
  if (name === undefined) return place;
  const made: unknown = Reflect.apply(name, instance, args);
  return jobName(`@Exclusive on ${place}`, 'the result of the name function', made);
}
