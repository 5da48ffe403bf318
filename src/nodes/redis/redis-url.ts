import { Redis, type RedisOptions } from 'ioredis';
import { shownUrl } from '../../display.js';
import { InvalidOptionError } from '../../errors.js';

/** The options that a URL's query may set. ioredis accepts others, but as strings, even for numbers and booleans. */
const QUERY = [
  'db',
  'family',
  'username',
  'password',
  'connectionName',
  'clientInfoTag',
  'keyPrefix',
] as const;

/**
 * The options that ioredis reads from a URL.
 *
 * @param where Where `option` is set, for messages. They show no part of the URL that may be secret.
 * @throws InvalidOptionError for anything but a `redis://` or `rediss://` URL, and for parts that ioredis would ignore.
 */
export function optionsOfUrl(where: string, option: string, text: string): RedisOptions {
  if (text.trim() === '') {
    const problem = `must be a URL such as ${EXAMPLE}, but it is empty: is an environment variable not set?`;
    throw new InvalidOptionError(where, option, problem);
  }
  const refuse = (problem: string): never => {
    const why = SEVERAL.test(text) ? `must be one URL: put several into an array, such as ${LIST}` : problem;
    throw new InvalidOptionError(where, option, `${why}; received ${shownUrl(text)}`);
  };
  // The message hides the rest of the URL, and with it a space at its end.
  if (text !== text.trim()) return refuse('must not begin or end with a space');
  if (!/^rediss?:\/\/[^\s\\]*$/.test(text)) {
    return refuse(
      `must begin with redis:// or rediss:// in lower case, without spaces or backslashes, such as ${EXAMPLE}`,
    );
  }
  let url: URL;
  try {
    url = new URL(text);
    decodeURIComponent(url.username + url.password);
  } catch {
    return refuse(`must be a valid URL, such as ${EXAMPLE}${ENCODED}`);
  }
  if (!/^([\w.-]+|\[[\da-f:.]+\])$/i.test(url.hostname))
    return refuse(`must be a URL with a host, such as ${EXAMPLE}`);
  if (/#|\?.*@/s.test(text)) return refuse(`must not have a fragment (#), or an @ after a ?${ENCODED}`);
  if (!/^\/?\d*$/.test(url.pathname)) {
    return refuse(
      "must have nothing but the number of a database as its path, as in 'redis://10.1.1.1:6379/0'",
    );
  }
  const names = [...url.searchParams.keys()];
  const [user, secret] = [names.includes('username'), names.includes('password')];
  if (names.some((name) => !(QUERY as readonly string[]).includes(name))) {
    return refuse(`can only set ${QUERY.join(', ')} in its query; use ioredis options for anything else`);
  }
  if (new Set(names).size < names.length) return refuse('must not set an option twice in its query');
  if ((user || secret) && (url.username || url.password)) {
    return refuse('must have the user and the password either before the host or in its query');
  }
  const { db, family } = Object.fromEntries(url.searchParams);
  if (db !== undefined && (!/^\d+$/.test(db) || url.pathname.length > 1)) {
    return refuse('must have the number of a database as its path or as db in its query, not both');
  }
  if (family !== undefined && !['0', '4', '6'].includes(family)) {
    return refuse('must have 4, 6 or 0 (both) as family in its query');
  }
  // Only after the query has been checked: one such as ?lazyConnect=false would make ioredis connect.
  const { options } = new Redis(text, { lazyConnect: true });
  const read = ['host', 'port', 'username', 'password', 'db', 'tls', ...names] as (keyof RedisOptions)[];
  return Object.fromEntries(read.map((name) => [name, options[name]]));
}

/** A separator before another URL, or before a host with a port. */
const SEVERAL = /[^\s,;][\s,;]+(?:rediss?:\/\/|(?:[\w.-]+|\[[\da-f:.]+\]):\d{1,5}(?![^\s,;/])(?!.*@))/i;

const EXAMPLE = "'redis://10.1.1.1:6379'";
const LIST = "['redis://10.1.1.1:6379', 'redis://10.1.1.2:6379']";
const ENCODED =
  '. Special characters in a user name or password must be percent-encoded (encodeURIComponent)';
