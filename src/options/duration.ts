import { parse } from '@lukeed/ms';
import { InvalidOptionError } from '../errors.js';
import type { Check } from '../checks.js';

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

/** Checks a `ttl`: a duration that is long enough for the lease to be renewed in time. Returns whole milliseconds. */
export function ttlCheck(nodeTimeout: number): Check<number> {
  return (where, option, value) => {
    const ttl = milliseconds(where, option, value);
    if (ttl >= 3 * nodeTimeout) return ttl;
    throw new InvalidOptionError(
      where,
      option,
      `must be at least ${3 * nodeTimeout} ms: the lease is renewed every ttl / 3, and a node may take ` +
        `${nodeTimeout} ms (nodeTimeout) to answer`,
      { received: value },
    );
  };
}

/** The longest delay of a Node.js timer, in milliseconds: about 24 days. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** Checks a duration, and returns it in whole milliseconds. */
export const milliseconds: Check<number> = (where, option, value) => {
  const hasUnit = typeof value !== 'string' || /[a-z]$/i.test(value);
  const length = typeof value === 'string' ? parse(value) : value;
  if (hasUnit && typeof length === 'number' && length >= 1 && length <= LONGEST_TIMER)
    return Math.round(length);
  throw new InvalidOptionError(
    where,
    option,
    "must be a number of milliseconds, or a duration with its unit, such as '500ms', '30s' or '10m', from 1 ms to 24 days",
    { received: value },
  );
};
