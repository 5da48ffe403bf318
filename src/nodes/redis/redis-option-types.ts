import type { RedisOptions } from 'ioredis';
import { InvalidOptionError } from '../../errors.js';

/** What is valid for an option, for a sentence with "must be". */
interface Kind {
  readonly must: string;
  readonly accepts: (value: unknown) => boolean;
  /** Whether no message may show the value. */
  readonly isSecret?: boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value);
/** Whether it is a valid delay for a Node.js timer. */
const isTime = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 2 ** 31 - 1;

const TEXT: Kind = { must: 'a string', accepts: isText };
// From an environment or a YAML file, a password may come as a number.
const CREDENTIAL: Kind = {
  must: 'a string',
  accepts: (value) => isText(value) || Number.isInteger(value),
  isSecret: true,
};
const FLAG: Kind = { must: 'true or false', accepts: isFlag };
const TIME: Kind = { must: 'a number of milliseconds from 0 to 2147483647', accepts: isTime };
const TLS: Kind = {
  must: 'an object, such as { ca }, or be omitted',
  accepts: (value) => isObject(value) || isFlag(value),
  isSecret: true,
};

/**
 * What each option that the module passes to ioredis must be. ioredis checks few of them: it turns an invalid value
 * into `[object Object]`, or fails with an error that ends the process when it connects.
 */
const KINDS: Partial<Record<keyof RedisOptions, Kind>> = {
  clientInfoTag: TEXT,
  connectTimeout: {
    must: 'a positive number of milliseconds',
    accepts: (value) => isTime(value) && value !== 0,
  },
  connectionName: TEXT,
  disableClientInfo: FLAG,
  disconnectTimeout: TIME,
  enableReadyCheck: FLAG,
  enableTLSForSentinelMode: FLAG,
  failoverDetector: FLAG,
  keepAlive: TIME,
  keyPrefix: TEXT,
  maxLoadingRetryTime: TIME,
  natMap: {
    must: 'an object or a function',
    accepts: (value) => isObject(value) || typeof value === 'function',
  },
  noDelay: FLAG,
  password: CREDENTIAL,
  protocol: { must: '2 or 3', accepts: (value) => value === 2 || value === 3 },
  sentinelCommandTimeout: TIME,
  sentinelMaxConnections: {
    must: 'a positive integer',
    accepts: (value) => Number.isInteger(value) && (value as number) > 0,
  },
  sentinelPassword: CREDENTIAL,
  sentinelReconnectStrategy: {
    must: 'a function',
    accepts: (value) => typeof value === 'function',
  },
  sentinelTLS: TLS,
  sentinelUsername: CREDENTIAL,
  showFriendlyErrorStack: FLAG,
  tls: TLS,
  updateSentinels: FLAG,
  username: CREDENTIAL,
};

/** Throws `InvalidOptionError` for an invalid value. `null` is what ioredis itself writes for "not set". */
export function checkKinds(where: string, option: string, options: object): void {
  for (const [name, { must, accepts, isSecret }] of Object.entries(KINDS)) {
    const received: unknown = Reflect.get(options, name);
    if (received == null || accepts(received)) continue;
    throw new InvalidOptionError(where, `${option}.${name}`, `must be ${must}`, isSecret ? {} : { received });
  }
}
