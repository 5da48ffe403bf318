import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { RedisServer, startServers } from '../engine/redis-server.js';

/** A client of a test's own, closed after the test (or, made outside of one, by the caller). */
export function clientOf({ port }: RedisServer, options: RedisOptions = {}): Redis {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: null, ...options });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

/** The keys on a server, in order, without those under which instances register. */
export async function keysOfJobs(client: Redis): Promise<string[]> {
  const keys = await client.keys('*');
  return keys.filter((key) => !/\{\w+_\}:fleet(:ends)?$/.test(key)).toSorted();
}

/** Servers for all tests of a file or of a `describe`. */
export function useServers(count: number): RedisServer[] {
  const servers: RedisServer[] = [];
  beforeAll(async () => void servers.push(...(await startServers(count))));
  afterAll(() => Promise.all(servers.map((server) => server.stop())));
  return servers;
}

/** A server for all tests of a file or of a `describe`. */
export function useServer(): { readonly it: RedisServer } {
  const servers = useServers(1);
  return {
    get it() {
      const [server] = servers;
      if (!server) throw new Error('The server runs during tests only');
      return server;
    },
  };
}
