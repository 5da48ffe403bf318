import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { classOf, redacted } from '../display.js';
import { errorOf, InvalidOptionError, RedlockError } from '../errors.js';
import { MODULE, readOrRefuse } from '../options/checks.js';
import type { NodeOption, RedisClient } from '../options/options.js';
import { BoundedNode, type NodeDriver } from './bounded-node.js';
import { CustomNode } from './custom-node.js';
import { hasHashTag } from './job-keys.js';
import type { LockNode } from './lock-node.js';
import { MemoryNode } from './memory-node.js';
import { checkKinds } from './redis/redis-option-types.js';
import { RedisNode, type RedisNodeSettings } from './redis/redis-node.js';
import { checkHost, checkRedisOptions, placeOfOptions } from './redis/redis-options.js';
import { optionsOfUrl } from './redis/redis-url.js';

/** The voting nodes that the option `nodes` describes. Nothing is connected yet. */
export function createNodes(
  nodes: readonly NodeOption[] | 'memory',
  settings: RedisNodeSettings,
): LockNode[] {
  // No `BoundedNode`: memory always answers at once.
  if (nodes === 'memory') return [new MemoryNode()];
  const isAlone = nodes.length === 1;
  return nodes.map((node, index) => {
    const option = `nodes[${index}]`;
    try {
      return new BoundedNode(driverOf(option, node, { ...settings, isAlone }), settings.nodeTimeout);
    } catch (cause) {
      if (errorOf(cause) instanceof RedlockError) throw cause;
      throw new InvalidOptionError(MODULE, option, 'is refused by ioredis (see the cause)', { cause });
    }
  });
}

function driverOf(option: string, node: NodeOption, settings: RedisNodeSettings): NodeDriver {
  if (typeof node === 'string') return RedisNode.connecting(optionsOfUrl(MODULE, option, node), settings);
  if (isLockNode(node)) return new CustomNode(node, settings.nodeTimeout);
  return isClient(node)
    ? RedisNode.like(node as Redis | Cluster, settings)
    : RedisNode.connecting(node as RedisOptions, settings);
}

/** The entries of `nodes`, or `'memory'`. Throws `InvalidOptionError` if they cannot form a quorum. */
export function checkedNodes(nodes: unknown): readonly NodeOption[] | 'memory' {
  if (nodes === undefined) {
    if (process.env['NODE_ENV'] === 'production') {
      throw new InvalidOptionError(
        MODULE,
        'nodes',
        "must be set when NODE_ENV is production: to the Redis that all instances share, such as 'redis://10.1.1.1:6379', or to 'memory' if there is only one instance",
      );
    }
    return 'memory';
  }
  if (nodes === 'memory') return 'memory';
  return readOrRefuse(MODULE, 'nodes', () => checkedEntries(nodes));
}

function checkedEntries(nodes: unknown): NodeOption[] {
  const given: readonly unknown[] = Array.isArray(nodes) ? nodes : [nodes];
  // A copy, because what is checked must be what is used.
  const list = Array.from(given, ownOptions);
  if (list.length === 0) {
    throw new InvalidOptionError(
      MODULE,
      'nodes',
      "must contain at least one node, such as 'redis://10.1.1.1:6379', or be 'memory'",
      { received: nodes },
    );
  }
  const places = new Map<unknown, number>();
  list.forEach((node, index) => {
    const option = `nodes[${index}]`;
    const place = readOrRefuse(MODULE, option, () => placeOf(option, node));
    const twin = places.get(place);
    if (twin !== undefined) {
      const what = typeof place === 'string' ? `(${redacted(place)}) ` : '';
      throw new InvalidOptionError(
        MODULE,
        option,
        `${what}is the same server as nodes[${twin}], and a server has one vote: use independent servers, each once`,
      );
    }
    places.set(place, index);
  });
  return list as NodeOption[];
}

/** The same value for two entries of `nodes` that are the same server. Throws for an invalid node. */
function placeOf(option: string, node: unknown): unknown {
  if (node === 'memory') {
    throw new InvalidOptionError(
      MODULE,
      option,
      "must not be 'memory': among other nodes, use new MemoryNode(); alone, set nodes: 'memory'",
    );
  }
  if (typeof node === 'string') return placeOfOptions(MODULE, option, optionsOfUrl(MODULE, option, node));
  if (typeof node !== 'object' || node === null) {
    throw new InvalidOptionError(MODULE, option, `must be ${NODE_FORMS}`, { received: node });
  }
  if (isLockNode(node)) return node;
  if (isClient(node)) return placeOfClient(option, node);
  refuseOther(option, node);
  checkRedisOptions(MODULE, option, node, NODE_FORMS);
  return placeOfOptions(MODULE, option, node);
}

const NODE_FORMS =
  "a URL such as 'redis://10.1.1.1:6379', ioredis options such as { host: '10.1.1.1' }, an ioredis Redis or Cluster, or a MemoryNode";

function placeOfClient(option: string, client: RedisClient): unknown {
  if (!client.isCluster) return placeOfOptions(MODULE, option, client.options);
  const seeds: unknown = Reflect.get(client, 'startupNodes');
  for (const seed of Array.isArray(seeds) ? (seeds as unknown[]) : []) {
    const { host } = Object(seed) as { host?: unknown };
    if (typeof seed === 'object' && host != null) checkHost(MODULE, `${option}.startupNodes`, host);
  }
  checkKinds(MODULE, `${option}.redisOptions`, (client as Cluster).options.redisOptions ?? {});
  const { keyPrefix } = client.options as RedisOptions;
  if (keyPrefix && !hasHashTag(keyPrefix)) {
    throw new InvalidOptionError(
      MODULE,
      `${option}.keyPrefix`,
      "must not be set, because it would spread the keys of one job over several slots: use cluster.duplicate([], { keyPrefix: '' }), and your prefix as the keyPrefix of RedlockModule",
      { received: keyPrefix },
    );
  }
  return client;
}

const LOCK_NODE = Object.keys({
  claim: true,
  extend: true,
  settle: true,
  release: true,
  look: true,
  pause: true,
  register: true,
  registered: true,
  open: true,
  close: true,
} satisfies Record<Exclude<keyof LockNode, 'address'>, true>);
const CLIENT = ['duplicate', 'evalsha', 'disconnect', 'on'] as const;

export function isLockNode(node: object): node is LockNode {
  return hasAllMethods(node, LOCK_NODE) && typeof Reflect.get(node, 'address') === 'string';
}

/** Whether it is an ioredis client, from any copy of ioredis; clients of other packages have no `status`. */
export function isClient(node: object): node is RedisClient {
  return (
    hasAllMethods(node, CLIENT) &&
    typeof Reflect.get(node, 'status') === 'string' &&
    typeof Reflect.get(node, 'isCluster') === 'boolean'
  );
}

/**
 * Throws what a getter throws, for `readOrRefuse` to report. `hasMethods` (`has-methods.ts`) would return `false`, and
 * the node could be taken for options.
 */
function hasAllMethods(node: object, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(node, name) === 'function');
}

/** Whether it is an object literal, from this realm or another. */
function isPlain(node: object): boolean {
  const prototype = Object.getPrototypeOf(node) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A copy of ioredis options; anything else is returned as it is. */
function ownOptions(node: unknown, index: number): unknown {
  return readOrRefuse(MODULE, `nodes[${index}]`, () => copyOfOptions(node));
}

function copyOfOptions(node: unknown): unknown {
  return typeof node === 'object' && node !== null && isPlain(node) && !isLockNode(node) && !isClient(node)
    ? { ...node }
    : node;
}

/** Refuses what is neither a client nor options: ioredis would take it for options and connect to localhost. */
function refuseOther(option: string, node: object): void {
  const refuse = (problem: string): never => {
    throw new InvalidOptionError(MODULE, option, problem);
  };
  if (Array.isArray(node)) refuse('must not be an array: put its entries directly into nodes');
  if (typeof Reflect.get(node, 'then') === 'function') {
    refuse('must not be a promise: await it, for example in the useFactory of RedlockModule.forRootAsync');
  }
  if ('claim' in node)
    refuse(`must have an address and the methods ${LOCK_NODE.join(', ')}, like every LockNode`);
  if (isPlain(node)) return;
  const name = classOf(node);
  const remedy = /mock/i.test(name)
    ? `use nodes: 'memory' in tests`
    : `use ${NODE_FORMS}, or { ...config } if the object has the options as its own properties`;
  refuse(`must not be an object of class ${name}: ${remedy}`);
}
