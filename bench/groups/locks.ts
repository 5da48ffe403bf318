import { startExclusive, WARM_UP_CALLS } from '../application.js';
import { OURS } from '../builds.js';
import type { Bench, Group } from '../group.js';
import { type Row, type Subject, takeTurns } from '../measure.js';
import { withServers } from '../redis.js';
import { times } from '../report.js';
import { type Locker, RAW, raw, redisSemaphore, redlock5, TTL } from './rivals.js';

export const locks: Group = {
  name: 'locks',
  title: 'Locks, one after another, all over the same connections',
  reference: RAW,
  figures: {
    acquire: { heading: 'acquire', print: times, ratio: true },
    cycle: { heading: 'acquire and release', print: times, ratio: true },
  },
  settings: [
    { name: 'one-node', measure: (bench) => measure(bench, 1) },
    { name: 'five-nodes', measure: (bench) => measure(bench, 5) },
  ],
};

function measure({ builds, others, rounds }: Bench, nodes: number): Promise<Row[]> {
  return withServers(nodes, async (_servers, clients) => {
    const applications = await Promise.all(builds.map((build) => startExclusive(build, clients)));
    const ours = applications.map(({ service }, index) => ({
      name: OURS,
      build: builds[index]?.name,
      async acquire() {
        const lock = await service.lock('ours', { ttl: TTL });
        if (!lock) throw new Error('The lock was not acquired');
        return () => lock.release();
      },
    }));
    const rivals = others ? [await raw(clients), redlock5(clients), redisSemaphore(clients)] : [];
    // A reply that a majority did not wait for must not fall on the next subject.
    const rest = () => Promise.all(clients.map((client) => client.ping()));
    const subjects = [...ours, ...rivals].map((locker) => ({ ...locker, once: () => cycle(locker), rest }));
    await takeTurns(subjects, { rounds: 2, batch: WARM_UP_CALLS / 2 });
    const rows = await takeTurns(subjects, { rounds: rounds(40), batch: 150 });
    for (const { close } of applications) await close();
    return rows;
  });
}

async function cycle({ acquire }: Locker): ReturnType<Subject['once']> {
  const begin = performance.now();
  const release = await acquire();
  const held = performance.now();
  await release();
  return { acquire: held - begin, cycle: performance.now() - begin };
}
