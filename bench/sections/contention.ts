import type { RedisServer } from '../../test/engine/redis-server.js';
import { Fleet, type Tick } from '../contention/fleet.js';
import type { Way } from '../contention/protocol.js';
import { type Counters, CounterReader } from '../counters.js';
import { type Spread, spreadOf } from '../measure.js';
import type { Plan } from '../plan.js';

/** So many instances that claim the same tick in the same way. */
export interface ContentionFigures {
  readonly instances: number;
  readonly nodes: number;
  readonly way: Way;
  readonly ticks: number;
  /** Of those ticks, how many nobody ran, and how many more than one instance did. */
  readonly missed: number;
  readonly doubled: number;
  /** From the first call until the winner starts, in milliseconds. */
  readonly start: Spread;
  /** Commands that the servers received for one tick. */
  readonly sent: Spread;
  /** The same, as the clients count. */
  readonly sentByClients: Spread;
  /** Commands that scripts called for one tick. */
  readonly inside: Spread;
  readonly bytesIn: Spread;
  readonly bytesOut: Spread;
  /** Of all nodes together, in milliseconds of a processor. */
  readonly cpu: Spread;
  /** Whether servers and clients counted the same. */
  readonly agreed: boolean;
}

export interface ContentionResults {
  readonly figures: readonly ContentionFigures[];
  /** What one open connection takes on a server, in bytes. */
  readonly bytesPerConnection: number;
  readonly leftOut: readonly string[];
}

/** How long the winner runs, in milliseconds: longer than anybody comes a second time. */
const WORK = 150;
/** Servers have connections of their own to spare. */
const SPARE_CONNECTIONS = 100;

/** (d) Many instances, each with connections of its own, that claim one tick at the same moment. */
export async function measureContention(
  servers: readonly RedisServer[],
  maxClients: number,
  { nodes, processes, sizes }: Plan['contention'],
): Promise<ContentionResults> {
  const figures: ContentionFigures[] = [];
  const leftOut: string[] = [];
  let bytesPerConnection = Number.NaN;
  for (const count of nodes) {
    const voters = servers.slice(0, count);
    const reader = await CounterReader.open(voters);
    for (const { count: instances, rounds, oneNodeOnly } of sizes) {
      if (oneNodeOnly && count > 1) continue;
      if (instances + SPARE_CONNECTIONS > maxClients) {
        leftOut.push(`${instances} instances: Redis takes ${maxClients} connections here`);
        continue;
      }
      const [before = 0] = await reader.memory();
      const fleet = await Fleet.start(voters, instances, processes);
      const [after = 0] = await reader.memory();
      bytesPerConnection = (after - before) / instances;
      // A raw `SET` on each of several nodes decides nothing: they can fall to different instances.
      const ways: Way[] = count === 1 ? ['package', 'raw', 'redlock'] : ['package', 'redlock'];
      const ticks = new Map(ways.map((way) => [way, [] as (Tick & Counters)[]]));
      for (let round = -1; round < rounds; round++) {
        for (const way of ways.toSorted(() => Math.random() - 0.5)) {
          const { result, counters } = await reader.during(() => fleet.tick(way, WORK), way !== 'raw');
          // In the first round the servers learn the scripts, and the instances how fast the nodes are.
          if (round >= 0) ticks.get(way)?.push({ ...counters, ...result });
        }
      }
      for (const [way, all] of ticks) figures.push({ instances, nodes: count, way, ...summaryOf(all) });
      await fleet.stop();
    }
    await reader.close();
  }
  return { figures, bytesPerConnection, leftOut };
}

function summaryOf(
  ticks: readonly (Tick & Counters)[],
): Omit<ContentionFigures, 'instances' | 'nodes' | 'way'> {
  const spread = (of: (tick: Tick & Counters) => number): Spread => spreadOf(ticks.map(of));
  return {
    ticks: ticks.length,
    missed: ticks.filter(({ runs }) => runs === 0).length,
    doubled: ticks.filter(({ runs }) => runs > 1).length,
    start: spreadOf(ticks.flatMap(({ start }) => start ?? [])),
    sent: spread(({ sent }) => sent),
    sentByClients: spread(({ sentByClients }) => sentByClients),
    inside: spread(({ inside }) => inside),
    bytesIn: spread(({ bytesIn }) => bytesIn),
    bytesOut: spread(({ bytesOut }) => bytesOut),
    cpu: spread(({ cpu }) => cpu),
    agreed: ticks.every(({ sent, sentByClients }) => sent === sentByClients),
  };
}
