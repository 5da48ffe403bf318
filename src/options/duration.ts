import { parse } from '@lukeed/ms';
import { InvalidOptionError } from '../errors.js';

/** The unit of a duration. */
export type DurationUnit =
  | ('ms' | 'millisecond' | 'milliseconds' | 's' | 'sec' | 'secs' | 'second' | 'seconds')
  | ('m' | 'min' | 'mins' | 'minute' | 'minutes' | 'h' | 'hr' | 'hrs' | 'hour' | 'hours')
  | ('d' | 'day' | 'days' | 'w' | 'week' | 'weeks');

/**
 * Milliseconds, or a string such as `'500ms'`, `'30s'`, `'10m'` or `'1h'`: from one millisecond to 24 days. Anything
 * else is refused with an `InvalidOptionError`.
 */
export type Duration = number | `${number}${DurationUnit}` | `${number} ${DurationUnit}`;

/** A `ttl` in milliseconds. Throws `InvalidOptionError`, also if it is too short to be renewed in time. */
export function leaseDuration(option: string, value: Duration, nodeTimeout: number): number {
  const ttl = milliseconds(option, value);
  if (ttl >= 3 * nodeTimeout) return ttl;
  throw new InvalidOptionError(
    option,
    value,
    `a lease that is renewed every third of its ttl, by nodes that may take ${nodeTimeout} ms, needs at least ${3 * nodeTimeout} ms`,
  );
}

/** The longest delay of a Node.js timer, in milliseconds: about 24 days. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** A duration in whole milliseconds. Throws `InvalidOptionError` for anything that is not a positive duration. */
export function milliseconds(option: string, value: Duration): number {
  const length = typeof value === 'string' ? parse(value) : value;
  if (typeof length !== 'number' || !(length >= 1) || length > LONGEST_TIMER) {
    throw new InvalidOptionError(
      option,
      value,
      "use a whole number of milliseconds from 1 on, or a duration such as '500ms', '30s' or '10m' (at most 24 days)",
    );
  }
  return Math.round(length);
}
