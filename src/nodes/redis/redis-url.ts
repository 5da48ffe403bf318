import { Redis, type RedisOptions } from 'ioredis';
import { InvalidOptionError } from '../../errors.js';

/** What may stand behind the `?` of a URL; ioredis takes more, but makes texts of numbers and switches. */
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
 * @param option The option that the URL is, for messages, in which no part of it stands that may be a secret.
 * @throws InvalidOptionError for what is no `redis://` or `rediss://` URL, and for what ioredis would drop.
 */
export function optionsOfUrl(option: string, text: string): RedisOptions {
  const refuse = (right: string): never => {
    throw new InvalidOptionError(option, redacted(text), right);
  };
  let url: URL;
  try {
    url = new URL(text);
    decodeURIComponent(url.username + url.password);
  } catch {
    return refuse(`that is no URL; give one such as ${EXAMPLE}${ENCODED}`);
  }
  if (!['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    return refuse(`give a redis:// or rediss:// URL with a host, such as ${EXAMPLE}`);
  }
  if (url.hash !== '' || /[?#].*@/s.test(text))
    return refuse(`it has a # or ? that means something else${ENCODED}`);
  if (!/^\/?\d*$/.test(url.pathname)) {
    return refuse(`after the port comes the number of a database or nothing, as in ${EXAMPLE}/0`);
  }
  const names = [...new Set(url.searchParams.keys())];
  const unknown = names.find((name) => !(QUERY as readonly string[]).includes(name));
  if (unknown !== undefined) {
    return refuse(`behind its ? only ${QUERY.join(', ')} can stand; give ioredis options for all else`);
  }
  const { db, family } = Object.fromEntries(url.searchParams);
  if (db !== undefined && (!/^\d+$/.test(db) || url.pathname.length > 1)) {
    return refuse(`db is the number of a database, given once, as in ${EXAMPLE}/0`);
  }
  if (family !== undefined && !['0', '4', '6'].includes(family))
    return refuse('family is 4 or 6, or 0 for both');
  const { options } = new Redis(text, { lazyConnect: true });
  const read = ['host', 'port', 'username', 'password', 'db', 'tls', ...names] as (keyof RedisOptions)[];
  return Object.fromEntries(read.map((name) => [name, options[name]]));
}

const EXAMPLE = "'redis://10.1.1.1:6379'";
const ENCODED = '. What is special in a user name or a password is percent-encoded (encodeURIComponent)';

/** A URL without what could be a user name or a password. */
function redacted(url: string): string {
  return url
    .replace(/^(\w+:\/\/)?.*@/s, '$1***@')
    .replace(/^(\w+:\/\/)?:.*/s, '$1***')
    .replace(/[?#].*/s, '?***');
}
