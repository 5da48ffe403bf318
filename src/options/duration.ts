import { parse } from '@lukeed/ms';
import { InvalidOptionError } from '../errors.js';
import type { Check } from '../checks.js';

/** The unit of a duration. */
export type DurationUnit =
  | ('ms' | 'millisecond' | 'milliseconds' | 's' | 'sec' | 'secs' | 'second' | 'seconds')
  | ('m' | 'min' | 'mins' | 'minute' | 'minutes' | 'h' | 'hr' | 'hrs' | 'hour' | 'hours')
  | ('d' | 'day' | 'days' | 'w' | 'week' | 'weeks');

/**
 * Milliseconds, or a string such as `'500ms'`, `'30s'`, `'10m'` or `'1h'`: from one millisecond to 24 days or, for
 * `overdueAfter`, `missed.within`, `for` of a pause and `TestFleet.advance`, 366 days. Anything else is refused with an
 * `InvalidOptionError`.
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
export const milliseconds = durationUpTo(LONGEST_TIMER, '24 days');

/** The same, for a duration that no timer waits for. */
export const longMilliseconds = durationUpTo(366 * 24 * 60 * 60 * 1000, '366 days');

/** The longest text that is read, in characters. */
const LONGEST_TEXT = 50;

function durationUpTo(longest: number, inWords: string): Check<number> {
  return (where, option, value) => {
    // The time that `parse` takes grows with the square of the length.
    const isText = typeof value === 'string' && value.length <= LONGEST_TEXT && /[a-z]$/i.test(value);
    const length = isText ? parse(value) : value;
    if (typeof length === 'number' && length >= 1 && length <= longest) return Math.round(length);
    throw new InvalidOptionError(
      where,
      option,
      "must be a number of milliseconds, or a duration with its unit, such as '500ms', '30s' or '10m', from 1 ms to " +
        inWords,
      { received: value },
    );
  };
}
