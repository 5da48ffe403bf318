import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { callsOf, claimOf, LogSpy, newName, nodeAt, rawClient, SETTINGS, timed } from './support.js';
import { TcpProxy } from './tcp-proxy.js';

const TTL = 30_000;

interface Refusal {
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
}

let server: RedisServer;
let client: Redis;
/** Its connection is ready before any refusal begins. */
let operator: Redis;
let log: LogSpy;

const NOREPLICAS: Refusal = {
  begin: () => operator.config('SET', 'min-replicas-to-write', 1),
  end: () => operator.config('SET', 'min-replicas-to-write', 0),
};
const NOPERM: Refusal = {
  begin: () => operator.acl('SETUSER', 'default', '-eval', '-evalsha'),
  end: () => operator.acl('SETUSER', 'default', '+eval', '+evalsha'),
};
const BUSY: Refusal = {
  begin: async () => {
    client.eval('while true do end', 0).catch(() => {});
    await vi.waitFor(() => expect(operator.ping()).rejects.toThrow('BUSY'));
  },
  end: () => operator.script('KILL'),
};
const REFUSALS = { NOREPLICAS, NOPERM, BUSY };

beforeAll(async () => {
  server = await RedisServer.start({ args: ['--lua-time-limit', '50'] });
  client = rawClient(server);
  operator = rawClient(server);
  await operator.ping();
});
afterAll(async () => {
  client.disconnect();
  operator.disconnect();
  await server.stop();
});
beforeEach(() => void (log = new LogSpy()));
afterEach(() => log.restore());

async function openNode() {
  const node = nodeAt(server);
  await node.open();
  return node;
}

const evals = async (): Promise<number> => (await callsOf(client)).get('eval') ?? 0;

describe.skipIf(findEngine().kind === 'embedded')('a server that refuses how a claim ends', () => {
  it.each(Object.entries(REFUSALS))(
    'with %s gets it again by itself when it no longer refuses, once',
    async (why, { begin, end }) => {
      const node = await openNode();
      const run = claimOf(newName(), Date.now());
      const undone = claimOf(newName(), Date.now());
      await node.claim(run, 'a', TTL);
      await node.claim(undone, 'b', TTL);
      await begin();
      await expect(node.settle(run, 'a')).rejects.toThrow(why);
      await expect(node.release(undone, 'b')).rejects.toThrow(why);
      await pause(300);
      await end();
      await vi.waitFor(
        async () => expect(await client.get(run.tick?.last ?? '')).toBe(`${run.tick?.at}`),
        2000,
      );
      await vi.waitFor(async () => expect(await client.exists(run.lock, undone.lock)).toBe(0));
      expect(await client.exists(undone.tick?.key ?? '')).toBe(0);
      const sent = await evals();
      await pause(1200);
      expect(await evals()).toBe(sent);
      await node.close();
    },
  );

  it.each(Object.entries({ NOPERM, BUSY }))(
    'with %s does not get the release of a claim again that it has refused, too',
    async (why, { begin, end }) => {
      const node = await openNode();
      // From now on, the server has the scripts.
      await node.claim(claimOf(newName(), Date.now()), 'a', TTL);
      const refused = claimOf(newName(), Date.now());
      await node.release(refused, 'b');
      await begin();
      await expect(node.claim(refused, 'b', TTL)).rejects.toThrow(why);
      // As a quorum does, if the release overtakes the claim.
      for (let times = 0; times < 2; times++) await node.release(refused, 'b').catch(() => {});
      await end();
      const sent = await evals();
      await pause(500);
      expect(await evals()).toBe(sent);
      await node.close();
    },
  );

  it('gets the settle of a run again although it has refused its claim: others have granted it', async () => {
    const node = await openNode();
    const run = claimOf(newName(), Date.now());
    await NOREPLICAS.begin();
    await expect(node.claim(run, 'a', TTL)).rejects.toThrow('NOREPLICAS');
    await expect(node.settle(run, 'a')).rejects.toThrow('NOREPLICAS');
    await NOREPLICAS.end();
    await vi.waitFor(
      async () => expect(await client.get(run.tick?.last ?? '')).toBe(`${run.tick?.at}`),
      2000,
    );
    await node.close();
  });

  it('gets the release of a claim again whose answer was lost', async () => {
    const proxy = await TcpProxy.to(server.port);
    const node = nodeAt(proxy, { nodeTimeout: 200 });
    await node.open();
    const lost = claimOf(newName(), Date.now());
    proxy.swallow = 'replies';
    await expect(node.claim(lost, 'a', TTL)).rejects.toThrow('no answer');
    expect(await client.get(lost.lock)).toBe('a');
    await NOREPLICAS.begin();
    proxy.cut();
    proxy.swallow = 'nothing';
    await vi.waitFor(() => expect(node.release(lost, 'a')).rejects.toThrow('NOREPLICAS'), 3000);
    expect(await client.get(lost.lock)).toBe('a');
    await NOREPLICAS.end();
    await vi.waitFor(async () => expect(await client.exists(lost.lock)).toBe(0), 2000);
    await node.close();
    await proxy.close();
  });

  it('because something else is under a key does not get it again', async () => {
    const node = await openNode();
    const run = claimOf(newName(), Date.now());
    await node.claim(run, 'a', TTL);
    await client.hset(run.tick?.last ?? '', 'field', 'value');
    const sent = await evals();
    await expect(node.settle(run, 'a')).rejects.toThrow('WRONGTYPE');
    await pause(500);
    expect(await evals()).toBe(sent);
    await node.close();
  });

  it('is asked a little at a time, and gets all when it no longer refuses', async () => {
    const node = await openNode();
    const runs = Array.from({ length: 200 }, () => claimOf(newName(), Date.now()));
    await Promise.all(runs.map((run) => node.claim(run, run.lock, TTL)));
    await NOREPLICAS.begin();
    await Promise.all(runs.map((run) => node.settle(run, run.lock).catch(() => {})));
    const sent = await evals();
    await pause(800);
    const again = (await evals()) - sent;
    expect(again).toBeGreaterThan(0);
    // After 100, 300 and 700 ms.
    expect(again).toBeLessThanOrEqual(30);
    await NOREPLICAS.end();
    await vi.waitFor(
      async () => expect(await client.exists(...runs.map(({ tick }) => tick?.last ?? ''))).toBe(runs.length),
      2000,
    );
    expect(log.lines).toEqual([
      expect.stringContaining('cannot vote: NOREPLICAS'),
      expect.stringContaining('votes again'),
    ]);
    await node.close();
  });

  it('gets it when the node is closed, if it no longer refuses', async () => {
    const node = await openNode();
    const run = claimOf(newName(), Date.now());
    await node.claim(run, 'a', TTL);
    await NOREPLICAS.begin();
    await expect(node.settle(run, 'a')).rejects.toThrow('NOREPLICAS');
    await NOREPLICAS.end();
    await node.close();
    expect(await client.get(run.tick?.last ?? '')).toBe(`${run.tick?.at}`);
  });

  it.each(Object.entries(REFUSALS))(
    'with %s does not keep close() waiting if it still refuses',
    async (why, { begin, end }) => {
      const node = await openNode();
      const run = claimOf(newName(), Date.now());
      await node.claim(run, 'a', TTL);
      await begin();
      await expect(node.settle(run, 'a')).rejects.toThrow(why);
      const { took } = await timed(node.close());
      await end();
      expect(took).toBeLessThan(SETTINGS.nodeTimeout / 2);
    },
  );
});
