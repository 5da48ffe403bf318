import { createHash, randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import Redlock from 'redlock';
import { Mutex, RedlockMutex } from 'redis-semaphore';
import { versionOf } from '../machine.js';

/** One way to lock. */
export interface Locker {
  readonly name: string;
  /** Resolves to a function that releases the lock. */
  readonly acquire: () => Promise<() => Promise<unknown>>;
}

/** How long a lock lives, in milliseconds: longer than any measurement, so that nothing is renewed. */
export const TTL = 30_000;

export const RAW = 'raw ioredis';
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;
const SHA = createHash('sha1').update(RELEASE).digest('hex');

/**
 * The least that a lock can be: `SET NX PX`, and a script that compares and deletes, by its hash. On several nodes the
 * same on all of them at once, until a majority has agreed.
 */
export async function raw(clients: readonly Redis[]): Promise<Locker> {
  await Promise.all(clients.map((client) => client.script('LOAD', RELEASE)));
  return {
    name: RAW,
    async acquire() {
      const token = randomUUID();
      await majority(clients, (client) => client.set('raw', token, 'PX', TTL, 'NX'), 'OK');
      return () => majority(clients, (client) => client.evalsha(SHA, 1, 'raw', token), 1);
    },
  };
}

/** Resolves as soon as a majority has replied `yes`. */
function majority(clients: readonly Redis[], ask: (client: Redis) => Promise<unknown>, yes: unknown) {
  let missing = Math.floor(clients.length / 2) + 1;
  return new Promise<void>((resolve, reject) => {
    const count = (reply: unknown): void => {
      if (reply !== yes) reject(new Error(`The raw lock got ${String(reply)}`));
      else if (--missing === 0) resolve();
    };
    for (const client of clients) ask(client).then(count, reject);
  });
}

export function redlock5(clients: readonly Redis[]): Locker {
  const redlock = new Redlock([...clients]);
  return {
    name: `redlock ${versionOf('redlock')}`,
    async acquire() {
      const lock = await redlock.acquire(['redlock5'], TTL);
      return () => lock.release();
    },
  };
}

/** Its `Mutex` on one node, its `RedlockMutex` on several. */
export function redisSemaphore(clients: readonly Redis[]): Locker {
  const [only, second] = clients;
  const options = { lockTimeout: TTL };
  return {
    name: `redis-semaphore ${versionOf('redis-semaphore')}`,
    async acquire() {
      const single = only && !second;
      const mutex = single
        ? new Mutex(only, 'mutex', options)
        : new RedlockMutex([...clients], 'mutex', options);
      await mutex.acquire();
      return () => mutex.release();
    },
  };
}
