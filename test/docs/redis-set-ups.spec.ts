/** The statements of docs/redis-set-ups.md that have no test where the code is tested. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import slotOf from 'cluster-key-slot';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { close, start } from '../module/application.js';
import { clientOf, useServers } from '../module/redis.js';
import { RecordingLogger } from '../module/recording-logger.js';

const servers = useServers(3);

/** The names of the connections to a server. */
async function names(client: Redis): Promise<string[]> {
  return [...String(await client.client('LIST')).matchAll(/ name=(\S*)/g)].map(([, name = '']) => name);
}

it('the module opens one connection to each node, and closes it with the application', async () => {
  const clients = servers.map((server) => clientOf(server));
  const own = async (): Promise<number[]> =>
    Promise.all(
      clients.map(
        async (client) => (await names(client)).filter((name) => name.startsWith('nestjs-')).length,
      ),
    );
  const app = await start({ redlock: { nodes: servers.map(({ url }) => url) } });
  const redlock = app.get(RedlockService);
  await Promise.all(Array.from({ length: 20 }, (_none, job) => redlock.run(`job ${job}`, () => pause(20))));
  expect(await own()).toEqual([1, 1, 1]);
  await close(app);
  await expect.poll(own).toEqual([0, 0, 0]);
});

describe("the application's own client", () => {
  const USES: [what: string, use: (client: Redis) => unknown][] = [
    ['waits in a blocking command', (client) => void client.blpop('no such list', 0).catch(() => {})],
    ['is a subscriber', (client) => client.subscribe('news')],
    ['has quit', (client) => client.quit()],
    ['has been disconnected', (client) => client.disconnect()],
    ['is in a transaction', (client) => client.multi({ pipeline: false })],
    ['has chosen another database', (client) => client.select(5)],
  ];
  it.each(USES)('that %s does not affect the locks', async (_what, use) => {
    // As BullMQ requires.
    const client = clientOf(servers[0]!, { maxRetriesPerRequest: null });
    await client.ping();
    const logger = new RecordingLogger();
    const redlock = (await start({ redlock: { nodes: client }, logger })).get(RedlockService);
    await use(client);
    const lock = await redlock.lock('report');
    expect(await clientOf(servers[0]!).exists('JOB_LOCKER_report')).toBe(1);
    await lock?.extend();
    await lock?.release();
    expect(await clientOf(servers[0]!).exists('JOB_LOCKER_report')).toBe(0);
    expect(logger.at('warn')).toEqual([]);
  });

  it.each(USES.slice(2, 4))('that %s before the application starts is no trouble', async (_what, use) => {
    const client = clientOf(servers[0]!);
    await client.ping();
    await use(client);
    await expect.poll(() => client.status).toBe('end');
    const redlock = (await start({ redlock: { nodes: client } })).get(RedlockService);
    expect(await redlock.run('report', () => 1)).toMatchObject({ ran: true });
  });

  it('opens no connection if it has lazyConnect', async () => {
    const client = clientOf(servers[1]!, { lazyConnect: true, connectionName: 'lazy' });
    const redlock = (await start({ redlock: { nodes: client } })).get(RedlockService);
    expect(await redlock.run('report', () => 1)).toMatchObject({ ran: true });
    expect(client.status).toBe('wait');
    expect(await names(clientOf(servers[1]!))).not.toContain('lazy');
  });
});

/** The slots of the keys of some jobs. */
const slotsOf = (prefix: string): Set<number> =>
  new Set(
    ['report', 'import', '{x}', 'a}b'].flatMap((name) => {
      const keys = new JobKeys(prefix, name);
      return [keys.lock, keys.last, keys.every, keys.tick(0)].map(slotOf);
    }),
  );

it('a keyPrefix that starts with a hash tag keeps all jobs in one slot; without it, jobs spread', () => {
  expect(slotsOf('{shop}').size).toBe(1);
  expect(slotsOf('shop').size).toBeGreaterThan(1);
});

describe.skipIf(findEngine().kind === 'embedded')('a server that is killed and starts again', () => {
  it.each([
    ['remembers', 'yes', 'settled'],
    ['forgets', 'no', undefined],
  ])('%s what was settled, with appendonly %s', async (_what, appendonly, reason) => {
    const dir = mkdtempSync(join(tmpdir(), 'redis-data-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const args = ['--dir', dir, '--appendonly', appendonly, '--appendfsync', 'always'];
    const server = await RedisServer.start({ args });
    onTestFinished(() => server.stop());
    const redlock = (await start({ redlock: { nodes: server.url } })).get(RedlockService);
    const run = () => redlock.run('daily', () => 1, { every: '1h' });
    expect(await run()).toMatchObject({ ran: true });
    await server.restart();
    await expect
      .poll(async () => JSON.stringify(await run()), { timeout: 5000 })
      .toContain(reason === undefined ? '"ran":true' : `"reason":"${reason}"`);
  });
});
