import type { Redis } from 'ioredis';
import { createLock, createRedlock, IoredisAdapter } from 'redlock-universal';
import { versionOf } from '../machine.js';
import { type Contender, TTL } from './contender.js';

/** Its lock on one node, its redlock on several. */
export function redlockUniversal(clients: readonly Redis[]): Contender {
  const adapters = clients.map((client) => new IoredisAdapter(client));
  const [only] = adapters;
  const lock =
    only && adapters.length === 1
      ? createLock({ adapter: only, key: 'bench:universal', ttl: TTL })
      : createRedlock({ adapters, key: 'bench:universal', ttl: TTL });
  return {
    name: `redlock-universal ${versionOf('redlock-universal')}`,
    async acquire() {
      const handle = await lock.acquire();
      return () => lock.release(handle);
    },
  };
}
