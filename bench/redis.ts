import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { COMMANDS } from '../src/nodes/redis/scripts.js';
import { type RedisServer, startServers } from '../test/engine/redis-server.js';

/** Starts servers for as long as `work` takes, with a connection to each that has the defaults of ioredis. */
export async function withServers<T>(
  count: number,
  work: (servers: readonly RedisServer[], clients: readonly Redis[]) => Promise<T>,
): Promise<T> {
  const servers = await startServers(count);
  const clients = servers.map(({ url }) => new Redis(url));
  try {
    await Promise.all(clients.map((client) => client.ping()));
    return await work(servers, clients);
  } finally {
    for (const client of clients) client.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** What scripts call, ours and those of redlock. Any other command was sent by a client. */
const CALLED_BY_SCRIPTS = new Set([
  ...COMMANDS.split(', ').filter((command) => !command.startsWith('eval')),
  'exists',
]);

/**
 * What all servers together did during `work`; `cpu` in milliseconds. Commands are attributed correctly only if the
 * clients send nothing but scripts.
 */
export async function countersDuring<T>(clients: readonly Redis[], work: () => Promise<T>) {
  const before = await countersOf(clients);
  const result = await work();
  const after = await countersOf(clients);
  const counters = {
    commands: after.sent - before.sent,
    inScripts: after.inScripts - before.inScripts,
    bytesIn: after.bytesIn - before.bytesIn,
    // The reply to the first INFO is counted as sent only after it was written, so it is in the difference.
    bytesOut: after.bytesOut - before.bytesOut - before.replies,
    cpu: after.cpu - before.cpu,
    memory: after.memory - before.memory,
  };
  return { result, counters };
}

/** How often the commands are counted to find their peak, in milliseconds. */
const SAMPLE_EVERY = 100;

/** The most commands that all servers together got in one second during `work`. */
export async function peakDuring<T>(clients: readonly Redis[], work: () => Promise<T>) {
  const samples: { readonly at: number; readonly sent: number }[] = [];
  const sample = async (): Promise<void> => {
    const { sent } = await countersOf(clients);
    samples.push({ at: performance.now(), sent });
  };
  const over = new AbortController();
  const sampling = (async () => {
    while (!over.signal.aborted) {
      await sample();
      await pause(SAMPLE_EVERY);
    }
    await sample();
  })();
  const result = await work();
  over.abort();
  await sampling;
  const rates = samples.map(({ at, sent }) => {
    const from = samples.findLast((earlier) => at - earlier.at >= 1000) ?? samples[0];
    return from ? ((sent - from.sent) * 1000) / Math.max(1000, at - from.at) : 0;
  });
  return { result, peak: Math.round(Math.max(...rates)) };
}

async function countersOf(clients: readonly Redis[]) {
  const sum = { sent: 0, inScripts: 0, bytesIn: 0, bytesOut: 0, replies: 0, cpu: 0, memory: 0 };
  for (const info of await Promise.all(clients.map((client) => client.info('all')))) {
    const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
    for (const [, command = '', calls] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      if (command !== 'info') sum[CALLED_BY_SCRIPTS.has(command) ? 'inScripts' : 'sent'] += Number(calls);
    }
    sum.bytesIn += field('total_net_input_bytes');
    sum.bytesOut += field('total_net_output_bytes');
    sum.replies += Buffer.byteLength(info);
    sum.cpu += 1000 * (field('used_cpu_user') + field('used_cpu_sys'));
    sum.memory += field('used_memory');
  }
  return sum;
}
