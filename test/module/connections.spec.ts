import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { TcpProxy } from '../nodes/tcp-proxy.js';
import { close, start } from './application.js';
import { clientOf, keysOfJobs, useServer, useServers } from './redis.js';

const server = useServer();

it('that are made from URLs and options carry the name of the instance, and are closed with the application', async () => {
  const client = clientOf(server.it);
  const list = async (): Promise<string> => String(await client.client('LIST'));
  const options = { host: '127.0.0.1', port: server.it.port };
  const app = await start({ redlock: { nodes: options, instanceId: 'worker 1' } });
  expect(await list()).toMatch(/name=nestjs-exclusive:worker_1 /);
  await close(app);
  await expect.poll(list).not.toContain('nestjs-exclusive');
});

it.each([
  ['one that is connected', {}],
  ['one that connects when it is needed', { lazyConnect: true }],
])('that the application has are used, and stay open: %s', async (_kind, options) => {
  const client = clientOf(server.it, options);
  const listeners = client.listenerCount('error');
  const app = await start({ redlock: { nodes: client } });
  const redlock = app.get(RedlockService);
  const lock = await redlock.lock('report');
  expect(await client.exists('JOB_LOCKER_report')).toBe(1);
  await lock?.release();
  await close(app);
  expect(client.status).toBe('ready');
  expect(await client.ping()).toBe('PONG');
  expect(client.listenerCount('error')).toBe(listeners);
});

it('have the prefix of the options in front of every key', async () => {
  const client = clientOf(server.it);
  await client.flushall();
  const app = await start({ redlock: { nodes: server.it.url, keyPrefix: 'MINE' } });
  await app.get(RedlockService).run('report', async () => {
    expect(await keysOfJobs(client)).toEqual(['MINE_report', '{MINE_report}:begun']);
  });
  expect(await keysOfJobs(client)).toEqual(['{MINE_report}:runs']);
  for (const key of await client.keys('*')) expect(key).toMatch(/^\{?MINE_/);
});

it('may go to another database, by URL and by options', async () => {
  const [one, two] = [clientOf(server.it, { db: 1 }), clientOf(server.it, { db: 2 })];
  const byUrl = await start({ redlock: { nodes: `${server.it.url}/1` } });
  const byOptions = await start({ redlock: { nodes: { host: '127.0.0.1', port: server.it.port, db: 2 } } });
  const locks = [
    await byUrl.get(RedlockService).lock('by url'),
    await byOptions.get(RedlockService).lock('by options'),
  ];
  expect(await keysOfJobs(one)).toEqual(['JOB_LOCKER_by url']);
  expect(await keysOfJobs(two)).toEqual(['JOB_LOCKER_by options']);
  for (const lock of locks) await lock?.release();
});

it('go where the query of a URL says', async () => {
  const client = clientOf(server.it);
  const three = clientOf(server.it, { db: 3 });
  const app = await start({
    redlock: {
      nodes: `${server.it.url}?db=3&family=4&keyPrefix=shop:&connectionName=by-url&clientInfoTag=shop`,
    },
  });
  const lock = await app.get(RedlockService).lock('by query');
  expect(await keysOfJobs(three)).toEqual(['shop:JOB_LOCKER_by query']);
  for (const key of await three.keys('*')) expect(key).toMatch(/^shop:/);
  expect(String(await client.client('LIST'))).toContain('name=by-url');
  await lock?.release();
});

it('may use a user name and a password in the query of a URL', async () => {
  const client = clientOf(server.it);
  await client.acl('SETUSER', 'asker', 'on', '>p?#&%d', '~*', '+@all');
  const query = new URLSearchParams({ username: 'asker', password: 'p?#&%d' }).toString();
  const app = await start({ redlock: { nodes: `${server.it.url}?${query}` } });
  const run = app.get(RedlockService).run('report', async () => String(await client.client('LIST')));
  expect(await run).toEqual({ ran: true, value: expect.stringContaining('user=asker') });
});

it('may use a user name and a password, by URL', async () => {
  const client = clientOf(server.it);
  await client.acl('SETUSER', 'worker', 'on', '>p@ss/w%rd', '~*', '+@all');
  const url = server.it.url.replace('//', `//worker:${encodeURIComponent('p@ss/w%rd')}@`);
  const app = await start({ redlock: { nodes: url } });
  const run = app.get(RedlockService).run('report', async () => String(await client.client('LIST')));
  expect(await run).toEqual({ ran: true, value: expect.stringContaining('user=worker') });
});

it('use the new password of a client of the application whose token was renewed', async () => {
  const client = clientOf(server.it);
  await client.acl('SETUSER', 'iam', 'on', '>first', '~*', '+@all');
  const proxy = await TcpProxy.to(server.it.port);
  const own = new Redis(proxy.port, '127.0.0.1', { username: 'iam', password: 'first' });
  own.on('error', () => {});
  const app = await start({ redlock: { nodes: own, nodeTimeout: '200ms', ttl: '1s' } });
  const claims = async (): Promise<boolean> => (await app.get(RedlockService).run('report', () => 1)).ran;
  // The second renewal is used by the connection that replaces one that was forgotten by the network.
  for (const token of ['second', 'third']) {
    await client.acl('SETUSER', 'iam', 'resetpass', `>${token}`);
    own.options.password = token;
    await client.client('KILL', 'USER', 'iam');
    await expect.poll(claims, { timeout: 3000 }).toBe(true);
    proxy.idleLimit = 200;
    await pause(300);
    expect(await claims()).toBe(true);
    proxy.idleLimit = Number.POSITIVE_INFINITY;
  }
  await close(app);
  own.disconnect();
  await proxy.close();
});

const cluster = useServers(2);

it('may be of both kinds in one quorum, an even number too', async () => {
  const own = new Redis(cluster[0]!.port, '127.0.0.1');
  const app = await start({ redlock: { nodes: [own, cluster[1]!.url] } });
  const lock = await app.get(RedlockService).lock('report');
  for (const each of cluster) expect(await clientOf(each).exists('JOB_LOCKER_report')).toBe(1);
  await lock?.release();
  await close(app);
  for (const each of cluster) expect(await clientOf(each).exists('JOB_LOCKER_report')).toBe(0);
  expect(own.status).toBe('ready');
  own.disconnect();
});
