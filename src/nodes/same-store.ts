import type { Cluster, RedisOptions } from 'ioredis';
import { MODULE } from '../options/checks.js';
import type { NodeOption, RedisClient, ResolvedOptions } from '../options/options.js';
import { isClient, isLockNode } from './create-nodes.js';
import { addressOf } from './redis/address.js';
import { placeOfOptions } from './redis/redis-options.js';
import { optionsOfUrl } from './redis/redis-url.js';

type Nodes = ResolvedOptions['nodes'];

/** Whether two lists of nodes keep the same locks. Each `'memory'` is a memory of its own. */
export function isSameStore(one: Nodes, other: Nodes): boolean {
  if (one === 'memory' || other === 'memory') return false;
  const others = other.map(storeOf);
  return one.length === others.length && one.every((node, index) => storeOf(node) === others[index]);
}

/** The same value for two nodes that keep the same locks. */
function storeOf(node: NodeOption): unknown {
  if (typeof node === 'string') return storeOfOptions(optionsOfUrl(MODULE, 'nodes', node));
  if (isLockNode(node)) return node;
  if (!isClient(node)) return storeOfOptions(node as RedisOptions);
  const { options, isCluster } = node as RedisClient & { readonly options: RedisOptions };
  return isCluster
    ? JSON.stringify([addressOf(node as unknown as Cluster), options.keyPrefix ?? ''])
    : storeOfOptions(options);
}

function storeOfOptions(options: RedisOptions): string {
  const { db, keyPrefix } = options;
  return JSON.stringify([placeOfOptions(MODULE, 'nodes', options), db ?? 0, keyPrefix ?? '']);
}
