import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { expect, it } from 'vitest';
import { InvalidOptionError, type NodeOption, RedlockModule } from '../../src/index.js';

/** Values for which ioredis would connect elsewhere, wait forever, or end the process. */
const WRONG: [option: string, value: unknown, must: string][] = [
  ['username', {}, 'a string'],
  ['password', Object.create(null), 'a string'],
  ['connectionName', ['a'], 'a string'],
  ['clientInfoTag', Symbol('a'), 'a string'],
  ['keyPrefix', 5, 'a string'],
  ['connectTimeout', Number.POSITIVE_INFINITY, 'a positive number'],
  ['connectTimeout', 0, 'a positive number'],
  ['disconnectTimeout', '5s', 'a number of milliseconds'],
  ['maxLoadingRetryTime', Number.NaN, 'a number of milliseconds'],
  ['keepAlive', true, 'a number of milliseconds'],
  ['noDelay', 'no', 'true or false'],
  ['enableReadyCheck', 0, 'true or false'],
  ['protocol', 4, '2 or 3'],
  ['natMap', 'a', 'an object or a function'],
  ['tls', 'rediss', 'an object'],
  ['sentinelTLS', [], 'an object'],
  ['sentinelMaxConnections', 0, 'a positive integer'],
  ['sentinelReconnectStrategy', 5, 'a function'],
];

const register = (nodes: NodeOption): unknown => RedlockModule.forRoot({ nodes });

it.each(WRONG)('%s: %s is refused', (option, value, must) => {
  const options = { host: '127.0.0.1', [option]: value } as RedisOptions;
  const message = new RegExp(`nodes\\[0\\]\\.${option} must be ${must}`);
  expect(() => register(options)).toThrow(InvalidOptionError);
  expect(() => register(options)).toThrow(message);
});

it('the same goes for a client and for the redisOptions of a Cluster', () => {
  const redisOptions = { username: {} } as RedisOptions;
  const client = new Redis({ ...redisOptions, lazyConnect: true });
  expect(() => register(client)).toThrow('nodes[0].username must be a string');
  const cluster = new Cluster([{ host: 'a' }], { lazyConnect: true, redisOptions });
  expect(() => register(cluster)).toThrow('nodes[0].redisOptions.username must be a string');
});

it('what ioredis itself writes for options that are not set is accepted, and so is a password of digits', () => {
  expect(() => register(new Redis({ lazyConnect: true }))).not.toThrow();
  expect(() => register({ host: 'a', password: 123_456 } as unknown as RedisOptions)).not.toThrow();
  expect(() => register({ host: 'a', username: undefined, tls: undefined })).not.toThrow();
});
