import { setTimeout as pause } from 'node:timers/promises';
import { RedisServer } from '../../test/engine/redis-server.js';
import { Child } from '../child.js';
import { closeAll, connectTo } from '../connections.js';
import type { Endurance } from '../endurance/endurance-process.js';
import type { Plan } from '../plan.js';

export interface EnduranceResults {
  readonly ticks: number;
  readonly jobs: number;
  readonly seconds: number;
  /** The heap at the end less the heap before, both after collection, in bytes. */
  readonly heapGrowth: number;
  readonly heaps: readonly number[];
  /** Right after the last tick, when the markers of the last minute are still there. */
  readonly keysAtEnd: Keys;
  /** A minute later. */
  readonly keysAfterMinute: Keys;
}

/** The keys of a server, by what they are for. */
export interface Keys {
  readonly all: number;
  readonly tickMarkers: number;
  /** One for each job: its newest settled tick. */
  readonly last: number;
  readonly other: number;
}

/** The markers of ticks live for a minute, in milliseconds. */
const MINUTE = 60_000;

/** (f) Runs many ticks in a process and on a server of their own. Resolves to what gives the results: a minute later. */
export async function beginEndurance({
  ticks,
  jobs,
}: Plan['endurance']): Promise<() => Promise<EnduranceResults>> {
  const server = await RedisServer.start();
  const child = new Child<never, Endurance>(
    'endurance/endurance-process.js',
    [`${server.port}`, `${ticks}`, `${jobs}`],
    ['--expose-gc'],
  );
  const { heaps, seconds, ticks: run } = await child.answer();
  const keysAtEnd = await keysOf(server);
  const end = performance.now();
  const growth = (heaps.at(-1) ?? Number.NaN) - (heaps[0] ?? Number.NaN);
  return async () => {
    await pause(Math.max(0, end + MINUTE + 1000 - performance.now()));
    const keysAfterMinute = await keysOf(server);
    await server.stop();
    return { ticks: run, jobs, seconds, heapGrowth: growth, heaps, keysAtEnd, keysAfterMinute };
  };
}

async function keysOf(server: RedisServer): Promise<Keys> {
  const clients = await connectTo([server]);
  const names = new Set<string>();
  for await (const found of clients[0]?.scanStream({ count: 10_000 }) ?? []) {
    for (const name of found as string[]) names.add(name);
  }
  await closeAll(clients);
  const tickMarkers = [...names].filter((name) => name.includes(':tick:')).length;
  const last = [...names].filter((name) => name.endsWith(':last')).length;
  return { all: names.size, tickMarkers, last, other: names.size - tickMarkers - last };
}
