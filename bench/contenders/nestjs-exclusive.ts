import type { NodeOption } from '../../src/index.js';
import { startApplication } from '../application.js';
import { OURS, versionOf } from '../machine.js';
import { type Contender, TTL } from './contender.js';

/** `RedlockService.lock` of this package, injected by Nest. */
export async function nestjsExclusive(nodes: readonly NodeOption[]): Promise<Contender> {
  const { service, close } = await startApplication(nodes);
  return {
    name: `${OURS} ${versionOf(OURS)}`,
    async acquire() {
      const lock = await service.lock('bench:ours', { ttl: TTL });
      if (!lock) throw new Error(`${OURS}: locked`);
      return () => lock.release();
    },
    close,
  };
}
