import slotOf from 'cluster-key-slot';
import { Cluster, type ClusterOptions } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Member, placesOf, startCluster, stopCluster } from '../engine/cluster.js';
import { findEngine } from '../engine/redis-server.js';
import { claimOf, newName, nodeOf } from './support.js';
import { TcpProxy } from './tcp-proxy.js';

const TTL = 30_000;
const SLOTS = 8;

describe.skipIf(findEngine().kind === 'embedded')('a Cluster behind NAT', () => {
  let members: Member[];
  let proxies: TcpProxy[];

  beforeAll(async () => {
    members = await startCluster('--cluster-node-timeout', '5000');
    proxies = await Promise.all(members.map(({ server }) => TcpProxy.to(server.port)));
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await stopCluster(members);
  });

  /** Where the server with this address is to be reached. An address that no server has leads nowhere. */
  function outside(address: string): { host: string; port: number } {
    const index = members.findIndex(({ server: { port } }) => address === `127.0.0.1:${port}`);
    return { host: '127.0.0.1', port: proxies[index]?.port ?? 1 };
  }

  it.each<[how: string, natMap: () => ClusterOptions['natMap']]>([
    ['a function', () => outside],
    [
      'an object',
      () =>
        Object.fromEntries(
          members.map(({ server: { port } }) => [`127.0.0.1:${port}`, outside(`127.0.0.1:${port}`)]),
        ),
    ],
  ])('follows a slot that has moved at once: natMap is %s', async (_how, natMap) => {
    const seeds = proxies.map(({ port }) => ({ host: '127.0.0.1', port }));
    const client = new Cluster(seeds, { lazyConnect: true, natMap: natMap() });
    const node = nodeOf(client, { nodeTimeout: 500 });
    await vi.waitFor(() => node.open(), 5000);
    const before = await countMoved();
    for (let count = 0; count < SLOTS; count++) {
      const claim = claimOf(newName());
      const slot = slotOf(claim.lock);
      const [from, to] = placesOf(slot, members);
      for (const { client: each } of [to, from]) await each.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
      expect(await node.claim(claim, 'a', TTL)).toEqual({ kind: 'granted' });
    }
    const moved = (await countMoved()) - before;
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThanOrEqual(SLOTS);
    await node.close();
  });

  /** How often a server has named another one instead of answering. */
  async function countMoved(): Promise<number> {
    const infos = await Promise.all(members.map(({ client }) => client.info('errorstats')));
    return infos.reduce((sum, info) => sum + Number(/errorstat_MOVED:count=(\d+)/.exec(info)?.[1] ?? 0), 0);
  }
});
