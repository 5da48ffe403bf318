import type { RedisOptions } from 'ioredis';
import { InvalidOptionError } from '../redlock.errors.js';
import type { NodeOption, RedlockModuleOptions } from '../redlock.options.js';
import type { LockNode } from './lock-node.js';
import { MemoryNode } from './memory-node.js';
import { RedisNode, type RedisNodeSettings } from './redis-node.js';

/** The voting nodes that the option `nodes` asks for. Nothing is connected yet. */
export function createNodes(
  nodes: readonly NodeOption[] | 'memory',
  settings: RedisNodeSettings,
): LockNode[] {
  return nodes === 'memory' ? [new MemoryNode()] : nodes.map((node) => createNode(node, settings));
}

function createNode(node: NodeOption, settings: RedisNodeSettings): LockNode {
  if (typeof node === 'string') return RedisNode.connecting(optionsOfUrl(node), settings);
  if ('claim' in node) return node;
  return 'evalsha' in node ? RedisNode.like(node, settings) : RedisNode.connecting(node, settings);
}

function optionsOfUrl(text: string): RedisOptions {
  const url = new URL(text);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(url.pathname.slice(1) || 0),
    tls: url.protocol === 'rediss:' ? {} : undefined,
  };
}

/** The nodes as they were given, or `'memory'`. Throws `InvalidOptionError` for what can be no quorum. */
export function checkedNodes(nodes: RedlockModuleOptions['nodes']): readonly NodeOption[] | 'memory' {
  if (nodes === undefined) {
    if (process.env['NODE_ENV'] === 'production') {
      throw new InvalidOptionError(
        'nodes',
        nodes,
        "with NODE_ENV=production, give the Redis that all instances share, such as 'redis://10.1.1.1:6379', or 'memory' if there is one instance only",
      );
    }
    return 'memory';
  }
  if (nodes === 'memory') return 'memory';
  const list: readonly NodeOption[] = Array.isArray(nodes) ? nodes : [nodes as NodeOption];
  if (list.length === 0) {
    throw new InvalidOptionError(
      'nodes',
      '[]',
      "give at least one node, such as 'redis://10.1.1.1:6379', or 'memory'",
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
        `that is the same server as nodes[${twin}], whose vote counts once; give independent servers, each once`,
      );
    }
    places.set(place, index);
  });
  return list;
}

/** What two entries of `nodes` that are the same server have in common. Throws for what can be no node. */
function placeOf(option: string, node: unknown): unknown {
  if (typeof node === 'string') return urlPlace(option, node);
  if (typeof node !== 'object' || node === null) {
    throw new InvalidOptionError(option, node, `give ${NODE_FORMS}`);
  }
  if ('evalsha' in node) {
    if ('isCluster' in node && node.isCluster) return node;
    return 'options' in node ? optionsPlace(option, node.options as RedisOptions) : node;
  }
  if ('claim' in node) return node;
  return optionsPlace(option, node);
}

const NODE_FORMS =
  "a URL such as 'redis://10.1.1.1:6379', ioredis options such as { host: '10.1.1.1' }, an ioredis Redis or Cluster, or a MemoryNode";

function urlPlace(option: string, text: string): string {
  let url: URL;
  try {
    url = new URL(text);
    decodeURIComponent(url.username + url.password);
  } catch {
    throw new InvalidOptionError(option, redacted(text), `that is no URL; give ${NODE_FORMS}`);
  }
  if (!['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    throw new InvalidOptionError(
      option,
      redacted(text),
      `give a redis:// or rediss:// URL with a host, or ${NODE_FORMS}`,
    );
  }
  if (!/^\/?\d*$/.test(url.pathname)) {
    throw new InvalidOptionError(
      option,
      redacted(text),
      "after the port comes the number of a database or nothing, as in 'redis://10.1.1.1:6379/0'",
    );
  }
  return `${url.hostname.toLowerCase()}:${url.port || 6379}`;
}

function optionsPlace(option: string, options: RedisOptions): string {
  const { sentinels, name, path, host = 'localhost', port = 6379 } = options;
  // ioredis writes null into the options of a connection for what was not given.
  if (sentinels !== undefined && sentinels !== null) {
    if (!Array.isArray(sentinels) || sentinels.length === 0 || !name) {
      throw new InvalidOptionError(
        option,
        `{ sentinels, name: ${JSON.stringify(name)} }`,
        "a Sentinel group needs both, such as { sentinels: [{ host: '10.1.1.1', port: 26379 }], name: 'mymaster' }",
      );
    }
    return `sentinel ${name} ${sentinels.map((one) => `${one.host}:${one.port}`).join()}`;
  }
  if (path !== undefined && path !== null) return path;
  if (typeof host !== 'string' || host === '') {
    throw new InvalidOptionError(`${option}.host`, host, "give a host name or address, such as '10.1.1.1'");
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidOptionError(`${option}.port`, port, 'give a port from 1 to 65535');
  }
  return `${host.toLowerCase()}:${port}`;
}

/** A URL without what could be a user name or a password. */
function redacted(url: string): string {
  return url
    .replace(/^(\w+:\/\/)?.*@/s, '$1***@')
    .replace(/^(\w+:\/\/)?:.*/s, '$1***')
    .replace(/\?.*/s, '?***');
}
