import type { NodeReport } from '../lock-node.js';

/** Reads the report on a server from its reply to `INFO`. */
export function readInfo(info: string): NodeReport {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
  const isReplica = field('role') === 'slave';
  const eviction = field('maxmemory') === '0' ? 'noeviction' : (field('maxmemory_policy') ?? 'noeviction');
  return {
    identity: field('run_id'),
    unfit: isReplica ? 'it is a read-only replica; use its master' : undefined,
    warnings:
      eviction === 'noeviction'
        ? []
        : [
            `may drop locks, pauses and records when its memory is full (maxmemory-policy ${eviction}); set noeviction`,
          ],
  };
}
