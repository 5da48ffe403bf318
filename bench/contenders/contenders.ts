import type { Redis } from 'ioredis';
import type { Contender } from './contender.js';
import { nestjsExclusive } from './nestjs-exclusive.js';
import { raw } from './raw.js';
import { redisSemaphore } from './redis-semaphore.js';
import { redlock4, redlock5 } from './redlock.js';
import { redlockUniversal } from './redlock-universal.js';

/** All of them over the very same connections, one per node. The first is the raw one, the second is ours. */
export async function contendersOver(clients: readonly Redis[]): Promise<Contender[]> {
  return [
    await raw(clients),
    await nestjsExclusive(clients),
    redlock5(clients),
    redlock4(clients),
    redisSemaphore(clients),
    redlockUniversal(clients),
  ];
}
