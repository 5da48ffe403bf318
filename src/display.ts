// How values appear in messages and log lines: short, on one line, and without secrets.
import { types } from 'node:util';
import { namesSecret, withoutSecrets } from './secrets.js';

/** The maximum length of a value in a message, in characters. */
const LONGEST_VALUE = 200;
/** The maximum length of a reason or an address that comes from elsewhere, in characters. */
const LONGEST_TEXT = 1000;

/** The maximum number of names in a line of the log. */
const MOST_NAMES = 10;

/** A host, perhaps with a port, or a URL without a user or password. */
const HARMLESS = /^(\w+:\/\/)?[\w.-]+(:\d{1,5})?(\/\d*)?$|^\w+:\/\/$/;

/** A URL, perhaps with a word in place of a database number. In texts from elsewhere, that word may be a secret. */
const NAMED_DATABASE = /^\w+:\/\/[\w.-]+\/\w*$/;

/** What may be a user and password in a URL; a colon without a port after it comes before a password. */
const CREDENTIALS = /:\/\/(?:.*@|[^/:]*:(?!\d{1,5}\b)\S*)/s;

/** Escapes line breaks, control characters, and characters that are invisible or change the direction of text. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)?.toString(16) ?? '';
    return character === '\n' ? '\\n' : `\\u${code.length > 4 ? `{${code}}` : code.padStart(4, '0')}`;
  });
}

/** The name of a job or an instance, in quotes. The user and password of a URL in it are not shown. */
export function quoted(name: string): string {
  if (name.length <= LONGEST_VALUE) {
    const shorter = name.replace(CREDENTIALS, (part) => (part.endsWith('@') ? '://***@' : '://***'));
    return oneLine(JSON.stringify(shorter));
  }
  // What is cut off may contain the end of a password.
  const head = name.slice(0, LONGEST_VALUE).replace(/:\/\/.*/s, '://***');
  return oneLine(JSON.stringify(`${head}…`));
}

/** The first few of these names, for a line of the log. */
export function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return [...names.slice(0, MOST_NAMES).map(quoted), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

/** A value that was passed to this package. Of an object other than a Date, only the kind is shown. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return looksSecret(value) ? shownUrl(value) : quoted(value);
    case 'object':
      return value === null ? 'null' : kindOf(value);
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
    case 'bigint':
      return `${shortened(String(value), LONGEST_VALUE)}n`;
    default:
      return String(value);
  }
}

/** A string where a URL is expected: shown only if no part of it can be a user name or a password. */
export function shownUrl(text: string): string {
  if (text.length <= LONGEST_VALUE && [HARMLESS, NAMED_DATABASE, /^\s*$/].some((each) => each.test(text)))
    return quoted(text);
  const scheme = /^\s*(\w{1,20}:\/\/)/.exec(text)?.[1] ?? '';
  return `"${scheme}***"`;
}

/** Whether a message is sure to show a value in full; `false` for any object, and for any URL. */
export function isShownInFull(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= LONGEST_VALUE && !looksSecret(value);
  if (typeof value === 'bigint') return String(value).length <= LONGEST_VALUE;
  return (typeof value !== 'object' || value === null) && !['function', 'symbol'].includes(typeof value);
}

/** A string from elsewhere, such as a reason or an address, on one line and without what looks like a secret. */
export function redacted(text: string): string {
  const short = withoutSecrets(shortened(text, LONGEST_TEXT))
    .replace(/(\w+:\/\/)(?:.*@)?\S*/gs, (url, scheme: string) => (HARMLESS.test(url) ? url : `${scheme}***`))
    .replace(/[^\s:@/]*:[^\s@]+@\S*/g, '***');
  return oneLine(short);
}

/** The message of anything that was thrown, on one line and without what looks like a secret. */
export function messageOf(error: unknown): string {
  return redacted(textOf(error));
}

/** The text of anything that was thrown. Code outside this package may have thrown it, and reading it may throw. */
export function textOf(error: unknown): string {
  if (typeof error === 'string') return error;
  try {
    // Jest runs tests in a context with an `Error` of its own.
    const isError = error instanceof Error || types.isNativeError(error);
    return isError ? `${error.name}: ${error.message}` : shown(error);
  } catch {
    return 'an error that cannot be read';
  }
}

/** What an object is. Reading it may throw, for example if it is a revoked proxy. */
function kindOf(value: object): string {
  try {
    if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
    if (types.isDate(value)) {
      const time = Date.prototype.getTime.call(value);
      return Number.isNaN(time) ? 'an invalid Date' : new Date(time).toISOString();
    }
    if (typeof Reflect.get(value, 'then') === 'function') return 'a promise';
    const name = classOf(value);
    return name === 'Object' ? 'an object' : `an instance of ${oneLine(shortened(name, LONGEST_VALUE))}`;
  } catch {
    return 'an object';
  }
}

/**
 * The name of the first class in an object's prototype chain that has a name. `Class` is skipped: node-redis derives a
 * class of that name from each of its classes.
 */
export function classOf(value: object): string {
  let prototype = Object.getPrototypeOf(value) as object | null;
  for (; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object | null) {
    const made: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
    if (typeof made === 'function' && !['', 'Class'].includes(made.name)) return made.name;
  }
  return 'Object';
}

/** Whether a string contains something that looks like a URL, credentials, or another secret. */
function looksSecret(text: string): boolean {
  return /:\/\/|@/.test(text) || namesSecret(text.slice(0, LONGEST_TEXT));
}

function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
