import { createHash, randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type Contender, TTL } from './contender.js';

const KEY = 'bench:raw';
const COMPARE_AND_DELETE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;
const SHA = createHash('sha1').update(COMPARE_AND_DELETE).digest('hex');

/**
 * The least that a lock can be: `SET NX PX`, and a script that compares and deletes, by its hash. On several nodes the
 * same on all of them at once, until a majority has said yes.
 */
export async function raw(clients: readonly Redis[]): Promise<Contender> {
  await Promise.all(clients.map((client) => client.script('LOAD', COMPARE_AND_DELETE)));
  const [only] = clients;
  const name = clients.length === 1 ? 'raw ioredis' : 'raw quorum, ioredis';
  return only && clients.length === 1
    ? { name, acquire: () => acquireOne(only) }
    : { name, acquire: () => acquireMost(clients) };
}

async function acquireOne(client: Redis): Promise<() => Promise<unknown>> {
  const token = randomUUID();
  const answer = await client.set(KEY, token, 'PX', TTL, 'NX');
  if (answer !== 'OK') throw new Error('raw: locked');
  return () => client.evalsha(SHA, 1, KEY, token);
}

async function acquireMost(clients: readonly Redis[]): Promise<() => Promise<unknown>> {
  const token = randomUUID();
  const isMine = await majority(clients, async (client) => {
    return (await client.set(KEY, token, 'PX', TTL, 'NX')) === 'OK';
  });
  if (!isMine) throw new Error('raw: locked');
  return () => majority(clients, async (client) => (await client.evalsha(SHA, 1, KEY, token)) === 1);
}

/** Whether a majority says yes: as soon as it has, or once all have answered. */
function majority(clients: readonly Redis[], ask: (client: Redis) => Promise<boolean>): Promise<boolean> {
  return new Promise((resolve) => {
    let yes = 0;
    let answers = 0;
    const hear = (answer: boolean): void => {
      if (answer) yes++;
      if (yes > clients.length / 2) resolve(true);
      else if (++answers === clients.length) resolve(false);
    };
    for (const client of clients) {
      ask(client).then(hear, () => hear(false));
    }
  });
}
