import { setTimeout as pause } from 'node:timers/promises';
import { OURS } from '../builds.js';
import { Child } from '../child.js';
import { realNow } from '../clock.js';
import type { Group, Setting } from '../group.js';
import { takeTurns } from '../measure.js';
import { withServers } from '../redis.js';
import { averages, percentages, sum } from '../report.js';
import type { Period, ShareInstance, ShareJob, Win } from '../shares/protocol.js';
import { NODES } from './fleets.js';

/** How far the clocks of the instances are ahead, in milliseconds. */
const AHEAD = [2, 1, 0];
/**
 * The parts of a round, in milliseconds: the time in which wins count, the warm-up before, and the time for the last
 * runs to end.
 */
const [COUNTED, BEFORE, AFTER] = [10_000, 3000, 2500];

/** Jobs, and for how much of every 10 ms the event loop of the first instance is blocked, in milliseconds. */
interface Load {
  readonly name: string;
  readonly jobs: readonly ShareJob[];
  /** How often each job is due in a second. */
  readonly rate: number;
  readonly blocked?: number;
}

const twenty = (job: ShareJob): ShareJob[] => Array.from({ length: 20 }, () => job);

const LOADS: readonly Load[] = [
  { name: 'runs', rate: 1 / 2, jobs: twenty({ cron: '*/2 * * * * *', work: 800, spread: 1800 }) },
  {
    name: 'blocked',
    rate: 1,
    jobs: twenty({ cron: '* * * * * *', work: 5, spread: 900 }),
    blocked: 9.5,
  },
];

export const shares: Group = {
  name: 'shares',
  title: 'Wins of three instances with 20 jobs, whose clocks are 2 ms, 1 ms and 0 ms ahead',
  figures: {
    first: { heading: '2 ms ahead', print: percentages, compared: false },
    second: { heading: '1 ms ahead', print: percentages, compared: false },
    third: { heading: '0 ms ahead', print: percentages, compared: false },
    others: { heading: 'runs on the winner', print: averages, compared: false },
    ticks: { heading: 'ticks', print: sum, compared: false },
    missed: { heading: 'missed', print: sum, compared: false },
    twice: { heading: 'twice', print: sum, compared: false },
  },
  settings: LOADS.flatMap((load) =>
    NODES.filter(({ hung }) => hung === 0).map((nodes) => settingOf(load, nodes)),
  ),
};

function settingOf(
  { name, jobs, rate, blocked = 0 }: Load,
  { nodes, ...place }: (typeof NODES)[number],
): Setting {
  const measure: Setting['measure'] = ({ builds, rounds }) =>
    withServers(nodes, (servers) => {
      const urls = servers.map(({ url }) => url);
      const subjects = builds.map((build) => ({
        name: OURS,
        build: build.name,
        once: () =>
          sharesOf({ entry: build.entry, urls, keyPrefix: `round-${realNow()}`, jobs }, { rate, blocked }),
      }));
      return takeTurns(subjects, { rounds: rounds(6) });
    });
  return { name: `${name}:${place.name}`, measure };
}

async function sharesOf(
  common: Omit<ShareInstance, 'ahead' | 'blocked'>,
  { rate, blocked }: { readonly rate: number; readonly blocked: number },
) {
  const children = AHEAD.map((ahead, index) => {
    const instance: ShareInstance = { ...common, ahead, blocked: index === 0 ? blocked : 0 };
    return new Child<Period, readonly Win[]>('shares/instance.js', [JSON.stringify(instance)]);
  });
  try {
    await Promise.all(children.map((child) => child.answer()));
    const from = Math.ceil((realNow() + BEFORE) / 2000) * 2000;
    const to = from + COUNTED;
    await pause(to + AFTER - realNow());
    const wins = await Promise.all(children.map((child) => child.ask({ from, to })));
    const runs = wins.flat();
    const distinct = new Set(runs.map(({ run }) => run)).size;
    const ticks = (common.jobs.length * rate * COUNTED) / 1000;
    const others = runs.reduce((total, win) => total + win.others, 0) / runs.length;
    const [first = 0, second = 0, third = 0] = wins.map((won) => won.length / runs.length);
    return { first, second, third, others, ticks, missed: ticks - distinct, twice: runs.length - distinct };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}
