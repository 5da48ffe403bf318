import type { Cluster, Redis } from 'ioredis';

/** Where a client connects, without credentials. */
export function addressOf(client: Redis | Cluster): string {
  if (client.isCluster) {
    const seeds = Reflect.get(client, 'startupNodes') as unknown;
    return `cluster ${Array.isArray(seeds) ? seeds.map(hostAndPort).join(', ') : ''}`.trim();
  }
  const { sentinels, name, path, host, port } = (client as Redis).options;
  if (sentinels) return `sentinel ${name} (${sentinels.map(hostAndPort).join(', ')})`;
  return path ?? hostAndPort({ host, port });
}

function hostAndPort(at: unknown): string {
  if (typeof at === 'number') return `localhost:${at}`;
  if (typeof at === 'string') return at.replace(/^.*@|^\w+:\/\//, '').replace(/[/?#].*$/s, '');
  const { host = 'localhost', port = 6379 } = at as { host?: string; port?: number };
  return `${host}:${port}`;
}
