import type { RedisOptions } from 'ioredis';
import { InvalidOptionError } from '../../errors.js';

/** The options of an ioredis connection. `docs/redis-set-ups.md` says which of them the module overrides. */
export const REDIS_OPTIONS = [
  ...(['Connector', 'autoPipeliningIgnoredCommands', 'autoResendUnfulfilledCommands'] as const),
  ...([
    'autoResubscribe',
    'blockingTimeout',
    'blockingTimeoutGrace',
    'clientInfoTag',
    'commandQueue',
  ] as const),
  ...(['commandTimeout', 'connectTimeout', 'connectionName', 'db', 'disableClientInfo'] as const),
  ...(['disconnectTimeout', 'enableAutoPipelining', 'enableOfflineQueue', 'enableReadyCheck'] as const),
  ...(['enableTLSForSentinelMode', 'failoverDetector', 'family', 'himportFieldsets', 'host'] as const),
  ...(['keepAlive', 'keyPrefix', 'lazyConnect', 'maxLoadingRetryTime', 'maxRetriesPerRequest'] as const),
  ...(['monitor', 'name', 'natMap', 'noDelay', 'offlineQueue', 'password', 'path', 'port'] as const),
  ...(['preferredSlaves', 'protocol', 'readOnly', 'reconnectOnError', 'replyMapping'] as const),
  ...(['retryStrategy', 'role', 'scripts', 'sentinelCommandTimeout', 'sentinelMaxConnections'] as const),
  ...(['sentinelPassword', 'sentinelReconnectStrategy', 'sentinelRetryStrategy', 'sentinelTLS'] as const),
  ...(['sentinelUsername', 'sentinels', 'showFriendlyErrorStack', 'socketTimeout'] as const),
  ...(['stringNumbers', 'tls', 'updateSentinels', 'username'] as const),
] as const satisfies readonly (keyof RedisOptions)[];

/** Throws `InvalidOptionError` for options that ioredis would ignore, and for options that name no server. */
export function checkRedisOptions(option: string, options: object, forms: string): void {
  const names = Object.keys(options);
  const shown = `{ ${names.join(', ')} }`;
  const unknown = names.find((name) => !(REDIS_OPTIONS as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new InvalidOptionError(
      option,
      shown,
      `ioredis has no option ${JSON.stringify(unknown)}; use ${forms}`,
    );
  }
  const { host, port, path, sentinels, Connector, family, connectTimeout }: RedisOptions = options;
  const refuse = (name: string, value: unknown, right: string): never => {
    throw new InvalidOptionError(`${option}.${name}`, value, right);
  };
  if (path != null && (typeof path !== 'string' || path === '')) {
    refuse('path', path, "use the path of a socket, such as '/run/redis.sock'");
  }
  if (Connector != null && typeof Connector !== 'function') refuse('Connector', Connector, 'use a class');
  if (!isWhole(family ?? 0, 0, 6) || ![0, 4, 6].includes(family ?? 0)) {
    refuse('family', family, 'use 4 or 6, or 0 for both');
  }
  if (connectTimeout !== undefined && !(connectTimeout > 0)) {
    refuse('connectTimeout', connectTimeout, 'use a number of milliseconds');
  }
  const elsewhere = path ?? sentinels ?? Connector;
  if (names.includes('host') && (host ?? elsewhere) == null) refuse('host', host, HOST);
  if ((host ?? port ?? elsewhere) == null) {
    throw new InvalidOptionError(option, shown, `it does not say where the server is; use ${forms}`);
  }
}

const HOST = "use a host name or address, such as '10.1.1.1'";

/**
 * Where a connection with these options leads: equal for two that lead to the same server. Throws `InvalidOptionError`
 * if that cannot hold locks.
 */
export function placeOfOptions(option: string, options: RedisOptions): string {
  // ioredis writes null into the options of a connection for what was not set.
  const { sentinels, name, path, db, role } = options;
  if (role === 'slave') {
    throw new InvalidOptionError(
      `${option}.role`,
      role,
      "a replica grants no locks; leave it out, or use 'master'",
    );
  }
  if (!isWhole(db ?? 0, 0, Number.MAX_SAFE_INTEGER)) {
    throw new InvalidOptionError(`${option}.db`, db, 'use the number of a database, such as 0');
  }
  if (sentinels !== undefined && sentinels !== null) {
    if (!Array.isArray(sentinels) || sentinels.length === 0 || !name) {
      throw new InvalidOptionError(
        option,
        `{ sentinels, name: ${JSON.stringify(name)} }`,
        "a Sentinel group needs both, such as { sentinels: [{ host: '10.1.1.1', port: 26379 }], name: 'mymaster' }",
      );
    }
    const places = Array.from(sentinels, (one: unknown, index) => {
      const { host, port = 26_379 } = Object(one) as { host?: unknown; port?: unknown };
      checkHost(`${option}.sentinels[${index}].host`, host);
      return `${String(host)}:${String(port)}`;
    });
    return `sentinel ${name} ${places.join()}`;
  }
  if (path !== undefined && path !== null) return path;
  const host = options.host ?? 'localhost';
  const port = options.port ?? 6379;
  checkHost(`${option}.host`, host);
  if (!isWhole(port, 1, 65_535)) {
    throw new InvalidOptionError(`${option}.port`, port, 'use a port from 1 to 65535');
  }
  return `${host.toLowerCase()}:${port}`;
}

/** A URL in place of a host may contain a password, which no message may show. */
function checkHost(option: string, host: unknown): void {
  if (typeof host !== 'string' || host === '') throw new InvalidOptionError(option, host, HOST);
  if (/[^\w.:%-]/.test(host)) {
    throw new InvalidOptionError(option, '***', `${HOST}; if it is a URL, use it in place of the options`);
  }
}

/** Whether it is a whole number, or a string of digits, which ioredis accepts, too. */
function isWhole(value: unknown, least: number, most: number): boolean {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return Number.isInteger(number) && (number as number) >= least && (number as number) <= most;
}
