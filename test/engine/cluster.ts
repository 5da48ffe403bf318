import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { portWithBus } from './cluster-port.js';
import { RedisServer } from './redis-server.js';

/** How many slots the keys of a Cluster are spread over. */
export const SLOTS = 16_384;

/** A server of a Cluster. */
export interface Member {
  readonly server: RedisServer;
  readonly client: Redis;
  readonly id: string;
}

/** Makes a Cluster of three masters, in which each has a third of the slots. @param settings Of each server. */
export async function startCluster(...settings: string[]): Promise<Member[]> {
  const members = await Promise.all([0, 1, 2].map(() => startMember(settings)));
  const [first] = members;
  for (const [index, { client, server }] of members.entries()) {
    const begin = Math.ceil((SLOTS * index) / 3);
    await client.call('CLUSTER', 'ADDSLOTSRANGE', begin, Math.ceil((SLOTS * (index + 1)) / 3) - 1);
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (index > 0) await first?.client.cluster('MEET', '127.0.0.1', server.port);
  }
  await settled(members);
  return members;
}

/** Gives the first of these masters a replica, which takes over when the master has been dead for long enough. */
export async function addReplica(masters: readonly Member[], ...settings: string[]): Promise<Member> {
  const [first] = masters as [Member];
  const replica = await startMember(settings);
  await replica.client.cluster('MEET', '127.0.0.1', first.server.port);
  await settled([...masters, replica]);
  await replica.client.cluster('REPLICATE', first.id);
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'));
  // A master votes for the replica only once it knows whose replica that is.
  for (const { client } of masters)
    await until(async () => String(await client.cluster('NODES')).includes(`slave ${first.id}`));
  return replica;
}

/** The master that has a slot, and one that it can move to. */
export function placesOf(slot: number, members: readonly Member[]): [from: Member, to: Member] {
  const index = Math.floor((slot * 3) / SLOTS);
  return [members[index] as Member, members[(index + 1) % 3] as Member];
}

export async function stopCluster(members: readonly Member[]): Promise<void> {
  for (const { client } of members) client.disconnect();
  await Promise.all(members.map(({ server }) => server.stop()));
}

async function startMember(settings: readonly string[]): Promise<Member> {
  const port = await portWithBus();
  const server = await RedisServer.start({ port, args: ['--cluster-enabled', 'yes', ...settings] });
  const client = new Redis(port, '127.0.0.1').on('error', () => {});
  return { server, client, id: await client.cluster('MYID') };
}

/** Waits until each of them knows all of them, and each slot has a master. */
async function settled(members: readonly Member[]): Promise<void> {
  for (const { client } of members) {
    await until(async () => {
      const info = await client.cluster('INFO');
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${members.length}`);
    });
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > limit) throw new Error('The servers have not become a Cluster within 20 s');
    await delay(50);
  }
}
