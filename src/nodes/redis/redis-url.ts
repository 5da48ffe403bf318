import { Redis, type RedisOptions } from 'ioredis';
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
 * @param option The name of the option, for messages. They show no part of the URL that may be secret.
 * @throws InvalidOptionError for anything but a `redis://` or `rediss://` URL, and for parts that ioredis would ignore.
 */
export function optionsOfUrl(option: string, text: string): RedisOptions {
  const refuse = (right: string): never => {
    throw new InvalidOptionError(option, redacted(text), right);
  };
  if (!/^rediss?:\/\/[^\s\\]*$/.test(text)) {
    return refuse(`use a redis:// or rediss:// URL, in lower case and without spaces, such as ${EXAMPLE}`);
  }
  let url: URL;
  try {
    url = new URL(text);
    decodeURIComponent(url.username + url.password);
  } catch {
    return refuse(`that is not a URL; use one such as ${EXAMPLE}${ENCODED}`);
  }
  if (!/^([\w.-]+|\[[\da-f:.]+\])$/i.test(url.hostname))
    return refuse(`it has no host; use a URL such as ${EXAMPLE}`);
  if (/#|\?.*@/s.test(text)) return refuse(`a # or ? in it starts something else${ENCODED}`);
  if (!/^\/?\d*$/.test(url.pathname)) {
    return refuse("only the number of a database can follow the port, as in 'redis://10.1.1.1:6379/0'");
  }
  const names = [...url.searchParams.keys()];
  const [user, secret] = [names.includes('username'), names.includes('password')];
  if (names.some((name) => !(QUERY as readonly string[]).includes(name))) {
    return refuse(`its query can set ${QUERY.join(', ')}; use ioredis options for anything else`);
  }
  if (new Set(names).size < names.length) return refuse('its query sets an option twice');
  if ((user || secret) && (url.username || url.password)) {
    return refuse('it has a user or password in front of the host and in the query; use one of the two');
  }
  const { db, family } = Object.fromEntries(url.searchParams);
  if (db !== undefined && (!/^\d+$/.test(db) || url.pathname.length > 1)) {
    return refuse('db is the number of a database, and stands in the path or in the query');
  }
  if (family !== undefined && !['0', '4', '6'].includes(family)) {
    return refuse('family is 4 or 6, or 0 for both');
  }
  // Only now: a query such as ?lazyConnect=false would make ioredis connect.
  const { options } = new Redis(text, { lazyConnect: true });
  const read = ['host', 'port', 'username', 'password', 'db', 'tls', ...names] as (keyof RedisOptions)[];
  return Object.fromEntries(read.map((name) => [name, options[name]]));
}

const EXAMPLE = "'redis://10.1.1.1:6379'";
const ENCODED = '. What is special in a user name or a password is percent-encoded (encodeURIComponent)';

/** The URL, if it cannot contain a user name or a password; otherwise its scheme. */
function redacted(url: string): string {
  if (/^(\w+:\/\/)?[\w.-]*(:\d{1,5})?(\/\d*)?$|^\w+:\/\/[\w.-]+\/\w*$/.test(url)) return url;
  return `${/^[\w+.-]+:\/\//.exec(url)?.[0] ?? ''}***`;
}
