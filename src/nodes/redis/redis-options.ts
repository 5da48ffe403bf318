import { isIPv6 } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { shown, shownUrl } from '../../display.js';
import { InvalidOptionError } from '../../errors.js';
import { checkKinds } from './redis-option-types.js';

/** The options of an ioredis connection. `docs/redis-set-ups.md` says which of them the module overrides. */
export const REDIS_OPTIONS = [
  'Connector',
  'autoPipeliningIgnoredCommands',
  'autoResendUnfulfilledCommands',
  'autoResubscribe',
  'blockingTimeout',
  'blockingTimeoutGrace',
  'clientInfoTag',
  'commandQueue',
  'commandTimeout',
  'connectTimeout',
  'connectionName',
  'db',
  'disableClientInfo',
  'disconnectTimeout',
  'enableAutoPipelining',
  'enableOfflineQueue',
  'enableReadyCheck',
  'enableTLSForSentinelMode',
  'failoverDetector',
  'family',
  'himportFieldsets',
  'host',
  'keepAlive',
  'keyPrefix',
  'lazyConnect',
  'maxLoadingRetryTime',
  'maxRetriesPerRequest',
  'monitor',
  'name',
  'natMap',
  'noDelay',
  'offlineQueue',
  'password',
  'path',
  'port',
  'preferredSlaves',
  'protocol',
  'readOnly',
  'reconnectOnError',
  'replyMapping',
  'retryStrategy',
  'role',
  'scripts',
  'sentinelCommandTimeout',
  'sentinelMaxConnections',
  'sentinelPassword',
  'sentinelReconnectStrategy',
  'sentinelRetryStrategy',
  'sentinelTLS',
  'sentinelUsername',
  'sentinels',
  'showFriendlyErrorStack',
  'socketTimeout',
  'stringNumbers',
  'tls',
  'updateSentinels',
  'username',
] as const satisfies readonly (keyof RedisOptions)[];

/**
 * Throws `InvalidOptionError` for unknown options, which ioredis would ignore, for an invalid `Connector` or `family`,
 * for a `connectTimeout` that is null, for a `host` that is null or undefined (unless there is a `path`, `sentinels` or
 * a `Connector`), and for options that name no server.
 */
export function checkRedisOptions(where: string, option: string, options: object, forms: string): void {
  const names = Object.keys(options);
  const unknown = names.find((name) => !(REDIS_OPTIONS as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new InvalidOptionError(
      where,
      option,
      `has the option ${shown(unknown)}, which ioredis does not have: use ${forms}`,
    );
  }
  const { host, port, path, sentinels, Connector, family, connectTimeout }: RedisOptions = options;
  const refuse = (name: string, received: unknown, problem: string): never => {
    throw new InvalidOptionError(where, `${option}.${name}`, problem, { received });
  };
  if (Connector != null && typeof Connector !== 'function') refuse('Connector', Connector, 'must be a class');
  if (!isWhole(family ?? 0, 0, 6) || ![0, 4, 6].includes(family ?? 0)) {
    refuse('family', family, 'must be 4 or 6, or 0 for both');
  }
  // Without it, ioredis would wait for a connection forever.
  if (connectTimeout === null) refuse('connectTimeout', null, 'must be a positive number of milliseconds');
  const elsewhere = path ?? sentinels ?? Connector;
  if (names.includes('host') && (host ?? elsewhere) == null) refuse('host', host, HOST);
  if ((host ?? port ?? elsewhere) == null) {
    const set = names.length > 0 ? `has only ${names.join(', ')}` : 'is an empty object';
    throw new InvalidOptionError(
      where,
      option,
      `${set}, which does not say where the server is: use ${forms}`,
    );
  }
}

const HOST = "must be a host name or an address, such as '10.1.1.1'";

/**
 * Identifies the server of a connection: equal for the same server. Throws `InvalidOptionError` for invalid options,
 * and for a replica.
 */
export function placeOfOptions(where: string, option: string, options: RedisOptions): string {
  checkKinds(where, option, options);
  // ioredis writes null into the options of a connection for what was not set.
  const { sentinels, name, path, db, role } = options;
  const refuse = (key: string, received: unknown, problem: string): never => {
    throw new InvalidOptionError(where, `${option}.${key}`, problem, { received });
  };
  if (role === 'slave') refuse('role', role, "must be 'master', or be omitted: a replica grants no locks");
  if (!isWhole(db ?? 0, 0, Number.MAX_SAFE_INTEGER)) {
    refuse('db', db, 'must be the number of a database, such as 0');
  }
  if (sentinels != null) {
    const group = "as in { sentinels: [{ host: '10.1.1.1', port: 26379 }], name: 'mymaster' }";
    if (!Array.isArray(sentinels) || sentinels.length === 0) {
      refuse('sentinels', sentinels, `must be an array of Sentinels, ${group}`);
    }
    if (typeof name !== 'string' || name === '') {
      refuse('name', name, `must be the name of the Sentinel group, ${group}`);
    }
    const places = Array.from(sentinels, (one: unknown, index) => {
      const { host, port = 26_379 } = Object(one) as { host?: unknown; port?: unknown };
      checkHost(where, `${option}.sentinels[${index}].host`, host);
      checkPort(where, `${option}.sentinels[${index}].port`, port);
      return `${String(host)}:${String(port)}`;
    });
    return `sentinel ${name} ${places.join()}`;
  }
  if (path != null) {
    if (typeof path !== 'string' || !/^[\w.-]+$|^[/.\\\0](?!.*:\/\/)/s.test(path)) {
      const what = typeof path === 'string' ? shownUrl(path) : shown(path);
      throw new InvalidOptionError(
        where,
        `${option}.path`,
        `must be the path of a socket, such as '/run/redis.sock'; received ${what}`,
      );
    }
    return path;
  }
  const host = options.host ?? 'localhost';
  const port = options.port ?? 6379;
  checkHost(where, `${option}.host`, host);
  checkPort(where, `${option}.port`, port);
  return `${host.toLowerCase()}:${port}`;
}

/** A URL in place of a host may contain a password, which no message may show. */
export function checkHost(where: string, option: string, host: unknown): void {
  if (typeof host !== 'string') throw new InvalidOptionError(where, option, HOST, { received: host });
  if (isHost(host)) return;
  throw new InvalidOptionError(
    where,
    option,
    `${HOST}; received ${shownUrl(host)}. A port is an option of its own, and a URL replaces the whole object`,
  );
}

/** Whether it is a host name or an address, and so can be shown. */
export function isHost(host: string): boolean {
  return /^[\w.-]+$/.test(host) || isIPv6(host);
}

function checkPort(where: string, option: string, port: unknown): void {
  if (isWhole(port, 1, 65_535)) return;
  throw new InvalidOptionError(where, option, 'must be a port from 1 to 65535', { received: port });
}

/** Whether it is a whole number, or a string of digits, which ioredis accepts, too. */
function isWhole(value: unknown, least: number, most: number): boolean {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return Number.isInteger(number) && (number as number) >= least && (number as number) <= most;
}
