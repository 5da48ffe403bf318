import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { InvalidOptionError } from '../errors.js';
import type { NodeOption, RedisClient, RedlockModuleOptions } from '../options/options.js';
import { BoundedNode, type NodeDriver } from './bounded-node.js';
import { CustomNode } from './custom-node.js';
import { hasHashTag } from './job-keys.js';
import type { LockNode } from './lock-node.js';
import { MemoryNode } from './memory-node.js';
import { RedisNode, type RedisNodeSettings } from './redis/redis-node.js';
import { checkRedisOptions, placeOfOptions } from './redis/redis-options.js';
import { optionsOfUrl } from './redis/redis-url.js';

/** The voting nodes that the option `nodes` describes. Nothing is connected yet. */
export function createNodes(
  nodes: readonly NodeOption[] | 'memory',
  settings: RedisNodeSettings,
): LockNode[] {
  // Memory needs no limits of time.
  if (nodes === 'memory') return [new MemoryNode()];
  return nodes.map((node) => new BoundedNode(driverOf(node, settings), settings.nodeTimeout));
}

function driverOf(node: NodeOption, settings: RedisNodeSettings): NodeDriver {
  if (typeof node === 'string') return RedisNode.connecting(optionsOfUrl('nodes', node), settings);
  if (isLockNode(node)) return new CustomNode(node, settings.nodeTimeout);
  return isClient(node)
    ? RedisNode.like(node as Redis | Cluster, settings)
    : RedisNode.connecting(node as RedisOptions, settings);
}

/** The entries of `nodes`, or `'memory'`. Throws `InvalidOptionError` if they cannot form a quorum. */
export function checkedNodes(nodes: RedlockModuleOptions['nodes']): readonly NodeOption[] | 'memory' {
  if (nodes === undefined) {
    if (process.env['NODE_ENV'] === 'production') {
      throw new InvalidOptionError(
        'nodes',
        nodes,
        "with NODE_ENV=production, use the Redis that all instances share, such as 'redis://10.1.1.1:6379', or 'memory' if there is only one instance",
      );
    }
    return 'memory';
  }
  if (nodes === 'memory') return 'memory';
  // A copy, because the list may have holes, and what is checked must be what is used.
  const list: NodeOption[] = Array.from(Array.isArray(nodes) ? nodes : [nodes], ownOptions);
  if (list.length === 0) {
    throw new InvalidOptionError(
      'nodes',
      '[]',
      "use at least one node, such as 'redis://10.1.1.1:6379', or 'memory'",
    );
  }
  const places = new Map<unknown, number>();
  list.forEach((node, index) => {
    const option = `nodes[${index}]`;
    const place = placeOf(option, node);
    const twin = places.get(place);
    if (twin !== undefined) {
      const what = typeof place === 'string' ? place : 'an object';
      throw new InvalidOptionError(
        option,
        what,
        `that is the same server as nodes[${twin}], whose vote counts once; use independent servers, each once`,
      );
    }
    places.set(place, index);
  });
  return list;
}

/** The same value for two entries of `nodes` that are the same server. Throws for an invalid node. */
function placeOf(option: string, node: unknown): unknown {
  if (node === 'memory') {
    throw new InvalidOptionError(
      option,
      node,
      "among other nodes, use new MemoryNode(); alone, nodes: 'memory'",
    );
  }
  if (typeof node === 'string') return placeOfOptions(option, optionsOfUrl(option, node));
  if (typeof node !== 'object' || node === null) {
    throw new InvalidOptionError(option, node, `use ${NODE_FORMS}`);
  }
  if (isLockNode(node)) return node;
  if (isClient(node)) return placeOfClient(option, node);
  refuseOther(option, node);
  checkRedisOptions(option, node, NODE_FORMS);
  return placeOfOptions(option, node);
}

const NODE_FORMS =
  "a URL such as 'redis://10.1.1.1:6379', ioredis options such as { host: '10.1.1.1' }, an ioredis Redis or Cluster, or a MemoryNode";

function placeOfClient(option: string, client: RedisClient): unknown {
  if (!client.isCluster) return placeOfOptions(option, client.options);
  const { keyPrefix } = client.options as RedisOptions;
  if (keyPrefix && !hasHashTag(keyPrefix)) {
    throw new InvalidOptionError(
      `${option}.keyPrefix`,
      keyPrefix,
      "it would spread the keys of one job over several slots; use cluster.duplicate([], { keyPrefix: '' }), and your prefix as the keyPrefix of RedlockModule",
    );
  }
  return client;
}

const LOCK_NODE = [
  'claim',
  'extend',
  'settle',
  'release',
  'open',
  'close',
] as const satisfies (keyof LockNode)[];
const CLIENT = ['duplicate', 'evalsha', 'disconnect', 'on'] as const;

function isLockNode(node: object): node is LockNode {
  return hasMethods(node, LOCK_NODE) && typeof Reflect.get(node, 'address') === 'string';
}

/** Whether it is an ioredis client, from any copy of ioredis; clients of other packages have no `status`. */
function isClient(node: object): node is RedisClient {
  return (
    hasMethods(node, CLIENT) &&
    typeof Reflect.get(node, 'status') === 'string' &&
    typeof Reflect.get(node, 'isCluster') === 'boolean'
  );
}

function hasMethods(node: object, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(node, name) === 'function');
}

/** Whether it is an object literal, from this realm or another. */
function isPlain(node: object): boolean {
  const prototype = Object.getPrototypeOf(node) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A copy of ioredis options; anything else is returned as it is. */
function ownOptions(node: NodeOption): NodeOption {
  return typeof node === 'object' && node !== null && isPlain(node) && !isLockNode(node) && !isClient(node)
    ? { ...node }
    : node;
}

/** Refuses what is neither a client nor options: ioredis would take it for options and connect to localhost. */
function refuseOther(option: string, node: object): void {
  const refuse = (what: string, right: string): never => {
    throw new InvalidOptionError(option, what, right);
  };
  if (Array.isArray(node)) refuse('an array', 'put its entries into nodes themselves');
  if (typeof Reflect.get(node, 'then') === 'function') {
    refuse('a promise', 'await it first, in the useFactory of RedlockModule.forRootAsync');
  }
  if ('claim' in node) refuse('an object', `a LockNode has an address and ${LOCK_NODE.join(', ')}`);
  if (isPlain(node)) return;
  const name = classOf(node);
  const remedy = /mock/i.test(name)
    ? `use nodes: 'memory' in tests`
    : `use ${NODE_FORMS}, or { ...config } if the object has the options as its own properties`;
  refuse(`an object of class ${name}`, remedy);
}

/** The name of an object's first named class; `Class`, which node-redis derives from each of its own, is skipped. */
function classOf(node: object): string {
  let prototype = Object.getPrototypeOf(node) as object | null;
  for (; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object | null) {
    const made: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
    if (typeof made === 'function' && !['', 'Class'].includes(made.name)) return made.name;
  }
  return 'Object';
}
