/** The Redis nodes of the demonstration: five of its own, or those that `REDIS_URLS` names. */
import { findEngine, startServers } from '../../test/engine/redis-server.js';
import { showEvent } from './screen.js';

export interface RedisNodes {
  readonly urls: readonly string[];
  /** For the screen: how many there are, and what they are. */
  readonly description: string;
  /** Kills one of them, if that is ours to do, and shows it. */
  killOne(): Promise<void>;
  stop(): Promise<void>;
}

export async function redisNodes(): Promise<RedisNodes> {
  const { REDIS_URLS } = process.env;
  return REDIS_URLS ? givenNodes(REDIS_URLS) : startNodes(5);
}

function givenNodes(commaSeparated: string): RedisNodes {
  const urls = commaSeparated.split(',').map((url) => url.trim());
  return {
    urls,
    description: `${urls.length} Redis nodes, from REDIS_URLS`,
    killOne: async () => showEvent('No Redis node is killed: those of REDIS_URLS are yours'),
    stop: async () => {},
  };
}

async function startNodes(count: number): Promise<RedisNodes> {
  const servers = await startServers(count);
  return {
    urls: servers.map(({ url }) => url),
    description: `${count} Redis nodes: ${findEngine().description}`,
    killOne: async () => {
      const [server] = servers;
      showEvent(`SIGKILL to the Redis node 127.0.0.1:${server?.port}, one of ${count}`);
      await server?.kill();
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
