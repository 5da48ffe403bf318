import type { Redis } from 'ioredis';
import { Mutex, RedlockMutex } from 'redis-semaphore';
import { versionOf } from '../machine.js';
import { type Contender, TTL } from './contender.js';

/** Its `Mutex` on one node, its `RedlockMutex` on several. */
export function redisSemaphore(clients: readonly Redis[]): Contender {
  const [only] = clients;
  const options = { lockTimeout: TTL };
  const newMutex = (): Mutex | RedlockMutex =>
    only && clients.length === 1
      ? new Mutex(only, 'bench', options)
      : new RedlockMutex([...clients], 'bench', options);
  return {
    name: `redis-semaphore ${versionOf('redis-semaphore')}`,
    async acquire() {
      const mutex = newMutex();
      await mutex.acquire();
      return () => mutex.release();
    },
  };
}
