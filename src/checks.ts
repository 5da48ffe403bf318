import { types } from 'node:util';
import { shown } from './display.js';
import { errorOf, InvalidOptionError, RedlockError } from './errors.js';
import { hasMethods } from './has-methods.js';

/**
 * Returns the value of an option, converted if necessary, or throws `InvalidOptionError`. `where` and `option` are for
 * its message.
 */
export type Check<Value> = (where: string, option: string, value: unknown) => Value;

/** What the checks return for the options that are set. */
export type Checked<Checks> = {
  -readonly [Name in keyof Checks]?: Checks[Name] extends Check<infer Value> ? Value : never;
};

/** Where the options of the module are set, for messages: `forRoot`, or a factory of `forRootAsync`. */
export const MODULE = 'RedlockModule';

/** Where an unknown option belongs, as the end of a sentence; `undefined` if it is no option at all. */
export type Belongs = (option: string) => string | undefined;

/**
 * Checks an object of options, each with its own check. An option that is `undefined` is omitted; `null` is a value
 * like any other, and no option accepts it.
 *
 * @throws InvalidOptionError for anything but an object, for an unknown option, and for what a check refuses.
 */
export function checkedOptions<Checks extends Readonly<Record<string, Check<unknown>>>>(
  where: string,
  options: unknown,
  checks: Checks,
  belongs?: Belongs,
): Checked<Checks> {
  const given = givenOptions(where, options, Object.keys(checks), belongs);
  const checked: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(given)) {
    checked[option] = readOrRefuse(where, option, () => checks[option]?.(where, option, value));
  }
  return checked as Checked<Checks>;
}

/** A copy of the options that are set, unchecked. Each is read once: what is checked is what is used. */
export function givenOptions(
  where: string,
  options: unknown,
  known: readonly string[],
  belongs?: Belongs,
): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  const names = readOrRefuse(where, 'options', () => namesOf(where, options));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const place = belongs?.(unknown);
    throw new InvalidOptionError(
      where,
      unknown,
      `(known options: ${known.join(', ')})${place === undefined ? '' : `; ${place}`}`,
      { subject: `unknown option ${shown(unknown)}` },
    );
  }
  for (const option of known) {
    const value: unknown = readOrRefuse(
      where,
      option,
      () => Reflect.get(options as object, option) as unknown,
    );
    if (value !== undefined) given[option] = value;
  }
  return given;
}

/**
 * Returns what `read` returns. Anything that it throws, other than a `RedlockError`, becomes an `InvalidOptionError`,
 * for example the error of a getter.
 */
export function readOrRefuse<Value>(where: string, option: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (errorOf(error) instanceof RedlockError) throw error;
    throw new InvalidOptionError(where, option, 'cannot be read (see the cause)', { cause: error });
  }
}

function namesOf(where: string, options: unknown): string[] {
  // A list, a Map or a Date is no object of options. The options can be an ES module.
  const isObject = ['[object Object]', '[object Module]'].includes(Object.prototype.toString.call(options));
  if (isObject && !hasMethods(options, 'then')) return Object.keys(options as object);
  // The value is not shown: it may be a URL with a password in place of `{ nodes: url }`.
  const what = typeof options === 'string' ? 'a string' : shown(options);
  const remedy = what === 'a promise' ? '; await it first' : '';
  throw new InvalidOptionError(where, 'options', `must be an object, not ${what}${remedy}`);
}

/** Accepts anything, for what is checked later. */
export const anything: Check<unknown> = (_where, _option, value) => value;

export const boolean: Check<boolean> = (where, option, value) => {
  if (typeof value === 'boolean') return value;
  throw new InvalidOptionError(where, option, 'must be true or false', { received: value });
};

export function wholeNumber(least: number, most: number): Check<number> {
  return (where, option, value) => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
      return value as number;
    throw new InvalidOptionError(where, option, `must be a whole number from ${least} to ${most}`, {
      received: value,
    });
  };
}

/** @param example A valid value, for the message. */
export function text(example: string): Check<string> {
  return (where, option, value) => {
    const refuse = (problem: string): never => {
      throw new InvalidOptionError(where, option, problem, { received: value });
    };
    if (typeof value !== 'string' || value === '') {
      return refuse(`must be a non-empty string, such as '${example}'`);
    }
    // Redis would store every lone surrogate as the same character, so two names could share a key.
    if (/\p{Surrogate}/u.test(value)) return refuse('must be well-formed Unicode, without lone surrogates');
    return value;
  };
}

export function oneOf<const Value extends string>(...values: readonly Value[]): Check<Value> {
  const [last, ...others] = values.map((value) => `'${value}'`).toReversed();
  const list = `${others.toReversed().join(', ')} or ${last}`;
  return (where, option, value) => {
    const found = values.find((one) => one === value);
    if (found !== undefined) return found;
    throw new InvalidOptionError(where, option, `must be ${list}`, { received: value });
  };
}

export const callback: Check<(...args: never[]) => unknown> = (where, option, value) => {
  if (typeof value === 'function') return value as (...args: never[]) => unknown;
  throw new InvalidOptionError(where, option, 'must be a function', { received: value });
};

export const date: Check<Date> = (where, option, value) => {
  if (types.isDate(value) && !Number.isNaN(Date.prototype.getTime.call(value))) return value;
  throw new InvalidOptionError(where, option, 'must be a valid Date', { received: value });
};

/** A list without holes. */
export const list: Check<readonly unknown[]> = (where, option, value) => {
  if (!Array.isArray(value)) {
    throw new InvalidOptionError(where, option, 'must be an array', { received: value });
  }
  const hole = Array.from(value, (_one, index) => index in value).indexOf(false);
  if (hole < 0) return value;
  throw new InvalidOptionError(where, `${option}[${hole}]`, 'is missing: the array has a hole');
};
