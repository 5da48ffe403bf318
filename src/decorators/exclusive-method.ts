import type { JobName, JobOptions } from '../options/options.js';

/** A method decorated with `@Exclusive`. */
export interface ExclusiveMethod {
  /** The function that replaces the method, with the metadata of all its decorators. */
  readonly wrapper: object;
  readonly original: (...args: never[]) => unknown;
  readonly key: string | symbol;
  /** `undefined`: the name of the object's class and of the method. */
  readonly name: JobName | undefined;
  readonly options: JobOptions;
}

/** A decorated method of one object. */
export interface MethodOfObject {
  readonly method: ExclusiveMethod;
  /**
   * Whether an undecorated method of the object overrides it. The object then does not declare the job: as with every
   * other decorator, `@Exclusive` does not apply to the override. If the override calls `super.method()`, that call is
   * guarded, although this object does not declare the job.
   */
  readonly isOverridden: boolean;
}

/** The decorated methods of each prototype, by key. */
const declared = new WeakMap<object, Map<string | symbol, ExclusiveMethod>>();
/** The decorated methods, by their wrapper. */
const byWrapper = new WeakMap<object, ExclusiveMethod>();
/** What `methodsOf` has found in an object: looking takes time. */
const found = new WeakMap<object, readonly MethodOfObject[]>();

/**
 * Registers a method decorated with `@Exclusive`. Metadata would not be enough to find it again: decorators of other
 * packages wrap the method without copying its metadata.
 */
export function declareExclusive(prototype: object, method: ExclusiveMethod): void {
  const methods = declared.get(prototype) ?? new Map<string | symbol, ExclusiveMethod>();
  declared.set(prototype, methods.set(method.key, method));
  byWrapper.set(method.wrapper, method);
}

/** The decorated methods of an object, and those that it has inherited and overrides. */
export function methodsOf(instance: unknown): readonly MethodOfObject[] {
  if (typeof instance !== 'object' || instance === null) return [];
  const known = found.get(instance);
  if (known) return known;
  const methods = new Map<string | symbol, MethodOfObject>();
  let prototype: unknown = Object.getPrototypeOf(instance);
  while (typeof prototype === 'object' && prototype !== null && prototype !== Object.prototype) {
    for (const method of [...(declared.get(prototype)?.values() ?? []), ...copiedTo(prototype)]) {
      if (methods.has(method.key)) continue;
      methods.set(method.key, { method, isOverridden: isOverridden(method, prototype, instance) });
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  // The first look is kept; it usually comes before the application has started. A method that is replaced later, such
  // as by a spy of a test, does not count as overridden.
  found.set(instance, [...methods.values()]);
  return [...methods.values()];
}

/** The decorated methods among a prototype's own properties, to which mixins copy them. */
function copiedTo(prototype: object): readonly ExclusiveMethod[] {
  return Object.values(propertiesOf(prototype)).flatMap(
    ({ value }) => byWrapper.get(Object(value) as object) ?? [],
  );
}

/** Whether the object, or a class between it and the prototype, has a method of its own. */
function isOverridden({ key, wrapper }: ExclusiveMethod, prototype: object, instance: object): boolean {
  let inherited: unknown;
  let each = Object.getPrototypeOf(instance) as object;
  while (each !== prototype) {
    const property = propertiesOf(each)[key as string];
    // The methods of classes are not enumerable; those that a tracer has wrapped, and assigned, are.
    if (property?.enumerable === false) return true;
    inherited ??= property?.value;
    each = Object.getPrototypeOf(each) as object;
  }
  inherited ??= propertiesOf(prototype)[key as string]?.value;
  const own = propertiesOf(instance)[key as string];
  if (!own || own.value === wrapper || own.value === inherited) return false;
  return ![String(key), nameOfFunction(wrapper), nameOfFunction(inherited)].some(
    (name) => name !== undefined && nameOfFunction(own.value) === `bound ${name}`,
  );
}

function nameOfFunction(value: unknown): string | undefined {
  return typeof value === 'function' ? value.name : undefined;
}

function propertiesOf(object: object): Record<string, PropertyDescriptor> {
  try {
    return Object.getOwnPropertyDescriptors(object);
  } catch {
    // A proxy may refuse to be read.
    return {};
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
