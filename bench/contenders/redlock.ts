import { createRequire } from 'node:module';
import type { Redis } from 'ioredis';
import Redlock5 from 'redlock';
import { versionOf } from '../machine.js';
import { type Contender, TTL } from './contender.js';

/** What is used here of redlock 4, which has no types. */
interface Redlock4 {
  lock(key: string, ttl: number): PromiseLike<{ unlock(): PromiseLike<void> }>;
}

export const Redlock4 = createRequire(import.meta.url)('redlock4') as new (
  clients: readonly Redis[],
  settings?: { readonly retryCount: number; readonly retryDelay: number },
) => Redlock4;

export function redlock5(clients: readonly Redis[]): Contender {
  const redlock = new Redlock5(clients as ConstructorParameters<typeof Redlock5>[0]);
  return {
    name: `redlock ${versionOf('redlock')}`,
    async acquire() {
      const lock = await redlock.acquire(['bench:redlock5'], TTL);
      return () => lock.release();
    },
  };
}

export function redlock4(clients: readonly Redis[]): Contender {
  const redlock = new Redlock4(clients);
  return {
    name: `redlock ${versionOf('redlock4')}`,
    async acquire() {
      const lock = await redlock.lock('bench:redlock4', TTL);
      return async () => lock.unlock();
    },
  };
}
