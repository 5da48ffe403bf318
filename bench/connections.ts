import { Redis } from 'ioredis';
import type { RedisServer } from '../test/engine/redis-server.js';

/** One connection to each server, ready to be used, with the defaults of ioredis. */
export async function connectTo(servers: readonly Pick<RedisServer, 'port'>[]): Promise<Redis[]> {
  const clients = servers.map(({ port }) => new Redis({ host: '127.0.0.1', port, lazyConnect: true }));
  await Promise.all(clients.map((client) => client.connect()));
  return clients;
}

export async function closeAll(clients: readonly Redis[]): Promise<void> {
  await Promise.all(clients.map((client) => client.quit()));
}
