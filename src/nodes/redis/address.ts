import type { Cluster, Redis } from 'ioredis';
import { redacted } from '../../display.js';
import { isHost } from './redis-options.js';

/** The address that a client connects to; credentials are left out. */
export function addressOf(client: Redis | Cluster): string {
  if (client.isCluster) {
    const seeds = Reflect.get(client, 'startupNodes') as unknown;
    return `cluster ${Array.isArray(seeds) ? seeds.map(hostAndPort).join(', ') : ''}`.trim();
  }
  const { sentinels, name, path, host, port } = (client as Redis).options;
  if (sentinels) return redacted(`sentinel ${name} (${sentinels.map(hostAndPort).join(', ')})`);
  return path == null ? hostAndPort({ host, port }) : redacted(path);
}

/** What messages call a client that is the only node. */
export function titleOf(client: Redis | Cluster): string {
  const address = addressOf(client);
  if (client.isCluster) return `Redis Cluster ${address.replace('cluster ', '')}`;
  const { sentinels } = (client as Redis).options;
  return sentinels ? `Redis Sentinel group ${address.replace('sentinel ', '')}` : `Redis at ${address}`;
}

function hostAndPort(at: unknown): string {
  if (typeof at === 'number') return `localhost:${at}`;
  if (typeof at === 'string') return hostAndPortOf(at);
  const { host = 'localhost', port = 6379 } = at as { host?: string | null; port?: number };
  return `${isHost(host ?? 'localhost') ? (host ?? 'localhost') : '***'}:${port}`;
}

/** The host and port in a URL, or in a string such as `10.1.1.1:6379`, if nothing else can be in them. */
function hostAndPortOf(text: string): string {
  const place = text.replace(/^.*@|^\w*:?\/\//s, '').replace(/[/?#].*$/s, '');
  const host = place.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1');
  return isHost(host) ? place : '***';
}
