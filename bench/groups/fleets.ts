import { OURS } from '../builds.js';
import { Fleet } from '../fleet/fleet.js';
import type { Instances } from '../fleet/protocol.js';
import type { Group, Setting } from '../group.js';
import { takeTurns } from '../measure.js';
import { countersDuring, peakDuring, withServers } from '../redis.js';
import { bytes, counts, durations, sum, times } from '../report.js';

/** The usual way, measured only where there is one job. */
export const REDLOCK = 'redlock 5, retryCount 0';

/** How many nodes there are, and how many of them hang: those are the first in the list, which claims ask first. */
export const NODES = [
  { name: 'one-node', nodes: 1, hung: 0 },
  { name: 'five-nodes', nodes: 5, hung: 0 },
  { name: 'one-of-five-hung', nodes: 5, hung: 1 },
] as const;

/** Numbers of instances. */
export const SIZES = [10, 100, 1000];

export const instances: Group = {
  name: 'instances',
  title: 'Instances that claim one tick of one job at the same moment, in four processes',
  figures: {
    last: { heading: 'winner starts', print: times },
    missed: { heading: 'missed', print: sum },
    twice: { heading: 'twice', print: sum },
    commands: { heading: 'commands', print: counts },
    inScripts: { heading: 'inside scripts', print: counts },
    bytesIn: { heading: 'in', print: bytes },
    bytesOut: { heading: 'out', print: bytes },
    cpu: { heading: 'CPU of Redis', print: times },
    connection: { heading: 'memory of a connection', print: bytes, compared: false },
  },
  settings: SIZES.flatMap((size) => {
    // Hundreds of instances share a processor: a node that replies in time must not seem slow. The winner runs for
    // longer than the losers retry.
    const load = { count: size, processes: 4, nodeTimeout: 10_000, jobs: 1, work: 150, rounds: 8 };
    return NODES.filter(({ hung }) => hung === 0).map((nodes) => settingOf(`${size}`, load, nodes));
  }),
};

/** Instances, and the jobs that each of them has on the same second. */
export const CROWDS = [
  [1, 150],
  [1, 10_000],
  [10, 1000],
  [20, 1000],
  [100, 1000],
] as const;

/** The crowd that is measured with a `spread`, too. */
const SPREAD_CROWD = { count: 10, processes: 10, jobs: 1000, work: 0, rounds: 3, spread: 30_000 };

export const crowd: Group = {
  name: 'crowd',
  title: 'Instances × jobs on the same second, all claimed in one turn of each process; 20 processes at most',
  figures: {
    missed: { heading: 'missed', print: sum },
    twice: { heading: 'twice', print: sum },
    storeDown: { heading: 'claims store-down', print: sum },
    last: { heading: 'last start', print: durations },
    commands: { heading: 'commands', print: counts },
    peak: { heading: 'in a second, at most', print: counts },
    inFlight: { heading: 'in flight in a process', print: counts },
    loopDelay: { heading: 'event-loop delay', print: durations },
  },
  settings: [
    ...CROWDS.flatMap(([size, jobs]) => {
      const load = { count: size, processes: Math.min(size, 20), jobs, work: 0, rounds: 3 };
      return NODES.map((nodes) => settingOf(`${size}x${jobs}`, load, nodes));
    }),
    settingOf('10x1000:spread', SPREAD_CROWD, NODES[0]),
  ],
};

/** `jobs` are due at the same moment, and a run takes `work` milliseconds. */
interface Load extends Pick<Instances, 'count' | 'nodeTimeout'> {
  readonly processes: number;
  readonly jobs: number;
  readonly work: number;
  readonly rounds: number;
  /** The `spread` of the jobs, in milliseconds. */
  readonly spread?: number;
}

function settingOf(name: string, load: Load, { nodes, hung, ...place }: (typeof NODES)[number]): Setting {
  const { count, processes, nodeTimeout, jobs, work, spread } = load;
  const measure: Setting['measure'] = ({ builds, others, rounds }) =>
    withServers(nodes, async (servers, clients) => {
      const ours = builds.map((build) => ({ name: OURS, build: build.name, contender: build.entry }));
      const rivals = others && jobs === 1 ? [{ name: REDLOCK, contender: 'redlock' }] : [];
      const urls = servers.map(({ url }) => url);
      const subjects = [];
      for (const { contender, ...subject } of [...ours, ...rivals]) {
        const start = () => Fleet.start({ contender, urls, count, nodeTimeout }, processes);
        const { result: fleet, counters } = await countersDuring(clients, start);
        const connection = counters.memory / count / nodes;
        const number = subjects.length;
        let round = 0;
        const once = async () => {
          round++;
          const names = Array.from({ length: jobs }, (_none, job) => `job-${number}-${round}-${job}`);
          const asked = clients.slice(hung);
          const claim = () => peakDuring(asked, () => fleet.claim(names, work, spread));
          const claimed = await countersDuring(asked, claim);
          const { result, peak } = claimed.result;
          return { ...claimed.counters, ...result, peak, connection };
        };
        subjects.push({ ...subject, fleet, once });
      }
      for (const server of servers.slice(0, hung)) server.pause();
      const rows = await takeTurns(subjects, { rounds: rounds(load.rounds) });
      for (const { fleet } of subjects) await fleet.stop();
      return rows;
    });
  return { name: `${name}:${place.name}`, measure };
}
