import { text } from '../checks.js';
import { type ExclusiveMethod, placeOf } from './exclusive-method.js';

/** Checks the name of a job. Its messages show `report` as an example. */
export const jobName = text('report');

/** How a pattern ends. */
export const PATTERN_END = '(…)';

/** The pattern that stands for the job names of a method, if they depend on the call; otherwise `undefined`. */
export function patternOf({ name, key }: ExclusiveMethod, instance: object): string | undefined {
  return typeof name === 'function' ? `${placeOf(instance, key)}${PATTERN_END}` : undefined;
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

/** The name of a call with these arguments; `undefined` if they do not fit. */
export function nameIfValid(
  method: ExclusiveMethod,
  instance: object,
  args: readonly unknown[],
): string | undefined {
  try {
    return nameOf(method, instance, args as never[]);
  } catch {
    return undefined;
  }
}
