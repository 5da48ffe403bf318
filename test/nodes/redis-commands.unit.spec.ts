import { afterEach, expect, it, vi } from 'vitest';
import type { NodeLog } from '../../src/nodes/node-log.js';
import { RedisCommands } from '../../src/nodes/redis/redis-commands.js';
import type { RedisConnection } from '../../src/nodes/redis/redis-connection.js';
import { ServerClock } from '../../src/nodes/redis/server-clock.js';
import { claimOf, newName } from './support.js';

const NODE_TIMEOUT = 500;

afterEach(() => void vi.restoreAllMocks());

it('a command that is sent again has the deadline of the first attempt', async () => {
  let now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const sent: unknown[][] = [];
  const evalsha = (...values: unknown[]): Promise<unknown> => {
    sent.push(values);
    now += 400;
    return Promise.resolve(sent.length === 1 ? ['late', now] : 'granted');
  };
  const connection = { client: { isCluster: false, evalsha }, isReady: true, heard: () => {} };
  const log = { answered: () => {} };
  const commands = new RedisCommands(
    connection as unknown as RedisConnection,
    new ServerClock(),
    log as unknown as NodeLog,
    NODE_TIMEOUT,
    () => {},
  );
  await commands.claim(claimOf(newName(), 86_400_000), 'token', 10_000).catch(() => {});
  const [first, second] = sent;
  const keys = Number(second?.[1]);
  const deadline = Number(second?.[2 + keys + 7]);
  expect(first).toHaveLength(second?.length ?? 0);
  // The clock of the server is up to 400 ms ahead: it was asked at 1000, and said 1400.
  expect(deadline).toBe(1000 + NODE_TIMEOUT + 400);
});
