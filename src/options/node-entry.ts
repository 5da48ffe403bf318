import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { classOf } from '../display.js';
import { errorOf, InvalidOptionError, RedlockError } from '../errors.js';
import { BoundedNode } from '../nodes/bounded-node.js';
import type { NodeDriver, NodeSettings } from '../nodes/node-driver.js';
import { CustomNode } from '../nodes/custom-node.js';
import { hasHashTag } from '../nodes/job-keys.js';
import type { LockNode } from '../nodes/lock-node.js';
import { addressOf } from '../nodes/redis/address.js';
import { RedisNode } from '../nodes/redis/redis-node.js';
import { checkKinds } from '../nodes/redis/redis-option-types.js';
import { checkHost, checkRedisOptions, placeOfOptions } from '../nodes/redis/redis-options.js';
import { optionsOfUrl } from '../nodes/redis/redis-url.js';
import { MODULE } from '../checks.js';
import type { NodeEntry, RedisClient } from './options.js';

const NODE_FORMS =
  "a URL such as 'redis://10.1.1.1:6379', ioredis options such as { host: '10.1.1.1' }, an ioredis Redis or Cluster, or a MemoryNode";

/**
 * What an entry of `nodes` is, and how its node is created. No other code distinguishes kinds of entries.
 *
 * @throws InvalidOptionError for an invalid entry. Throws what a getter throws, for `readOrRefuse` to report.
 */
export function nodeEntry(option: string, given: unknown): NodeEntry {
  if (given === 'memory') {
    throw new InvalidOptionError(
      MODULE,
      option,
      "must not be 'memory': among other nodes, use new MemoryNode(); alone, set nodes: 'memory'",
    );
  }
  if (typeof given === 'string') return withOptions(option, optionsOfUrl(MODULE, option, given));
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError(MODULE, option, `must be ${NODE_FORMS}`, { received: given });
  }
  if (isLockNode(given)) {
    const driverOf: DriverOf = ({ nodeTimeout }) => new CustomNode(given, nodeTimeout);
    return { place: given, store: given, create: bounded(option, driverOf) };
  }
  if (isClient(given)) return entryOfClient(option, given as unknown as Redis | Cluster);
  refuseOther(option, given);
  // A copy, because what is checked must be what is used.
  const options = { ...given };
  checkRedisOptions(MODULE, option, options, NODE_FORMS);
  return withOptions(option, options);
}

type DriverOf = (settings: NodeSettings) => NodeDriver;

function withOptions(
  option: string,
  options: RedisOptions,
  driverOf: DriverOf = (settings) => RedisNode.connecting(options, settings),
): NodeEntry {
  const place = placeOfOptions(MODULE, option, options);
  const store = JSON.stringify([place, options.db ?? 0, options.keyPrefix ?? '']);
  return { place, store, create: bounded(option, driverOf) };
}

function entryOfClient(option: string, client: Redis | Cluster): NodeEntry {
  const driverOf: DriverOf = (settings) => RedisNode.like(client, settings);
  const options = client.options as RedisOptions;
  if (!client.isCluster) return withOptions(option, options, driverOf);
  const seeds: unknown = Reflect.get(client, 'startupNodes');
  for (const seed of Array.isArray(seeds) ? (seeds as unknown[]) : []) {
    const { host } = Object(seed) as { host?: unknown };
    if (typeof seed === 'object' && host != null) checkHost(MODULE, `${option}.startupNodes`, host);
  }
  checkKinds(MODULE, `${option}.redisOptions`, (client as Cluster).options.redisOptions ?? {});
  const { keyPrefix } = options;
  if (keyPrefix && !hasHashTag(keyPrefix)) {
    throw new InvalidOptionError(
      MODULE,
      `${option}.keyPrefix`,
      "must not be set, because it would spread the keys of one job over several slots: use cluster.duplicate([], { keyPrefix: '' }), and your prefix as the keyPrefix of RedlockModule",
      { received: keyPrefix },
    );
  }
  const store = JSON.stringify([addressOf(client), keyPrefix ?? '']);
  return { place: client, store, create: bounded(option, driverOf) };
}

/** Creates a node that answers in time, whatever its driver does. */
function bounded(option: string, driverOf: DriverOf): NodeEntry['create'] {
  return (settings) => {
    try {
      return new BoundedNode(driverOf(settings), settings.nodeTimeout);
    } catch (cause) {
      if (errorOf(cause) instanceof RedlockError) throw cause;
      throw new InvalidOptionError(MODULE, option, 'is refused by ioredis (see the cause)', { cause });
    }
  };
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

function isLockNode(node: object): node is LockNode {
  return hasAllMethods(node, LOCK_NODE) && typeof Reflect.get(node, 'address') === 'string';
}

/** Whether it is an ioredis client, from any copy of ioredis; clients of other packages have no `status`. */
function isClient(node: object): node is RedisClient {
  return (
    hasAllMethods(node, CLIENT) &&
    typeof Reflect.get(node, 'status') === 'string' &&
    typeof Reflect.get(node, 'isCluster') === 'boolean'
  );
}

/** `hasMethods` (`has-methods.ts`) would return `false` if a getter throws, and the node could be taken for options. */
function hasAllMethods(node: object, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(node, name) === 'function');
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
  // An object literal, from this realm or another.
  const prototype = Object.getPrototypeOf(node) as object | null;
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return;
  const name = classOf(node);
  const remedy = /mock/i.test(name)
    ? `use nodes: 'memory' in tests`
    : `use ${NODE_FORMS}, or { ...config } if the object has the options as its own properties`;
  refuse(`must not be an object of class ${name}: ${remedy}`);
}
