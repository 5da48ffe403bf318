import type { Results } from './results.js';
import { bytes, count, ratio } from './table.js';

/** A figure that has a target. */
export interface Show {
  readonly figure: string;
  readonly target: string;
  readonly measured: string;
  /** `undefined`: not measured here. */
  readonly met: boolean | undefined;
}

const MEGABYTE = 1_000_000;

/** What this package wants to be, and whether it is, each as a ratio within this run. */
export function showsOf({ locks, starts, jobs, contention, slowNode, endurance }: Results): Show[] {
  return [
    ...locksOn(1, 1.1, locks),
    ...locksOn(5, 1.15, locks),
    atMost('decorated method starts, against one raw SET', starts.busy.ratio.median, 1.25),
    ...[1, 5].flatMap((nodes) => [10, 100].map((instances) => commandsOf(instances, nodes, contention))),
    jobsAtOnce(jobs),
    atMost(
      `lock with one of three nodes ${slowNode.delay} ms late, against three healthy`,
      slowNode.locks[1]?.ratio.median,
      1.2,
    ),
    ...slowNode.ticks.map(({ name, ratio: { median } }) =>
      atMost(
        `tick with the ${name.replace(' slow', '')} ${slowNode.delay} ms late, against three healthy`,
        median,
        1.2,
      ),
    ),
    {
      figure: `heap growth over ${count(endurance.ticks)} ticks`,
      target: '< 2 MB',
      measured: bytes(endurance.heapGrowth),
      met: endurance.heapGrowth < 2 * MEGABYTE,
    },
    {
      figure: 'keys a minute after the last tick',
      target: `no markers, ≤ ${endurance.jobs} in all`,
      measured: `${endurance.keysAfterMinute.tickMarkers} markers, ${endurance.keysAfterMinute.all} in all`,
      met: endurance.keysAfterMinute.tickMarkers === 0 && endurance.keysAfterMinute.all <= endurance.jobs,
    },
  ];
}

function locksOn(nodes: number, target: number, locks: Results['locks']): Show[] {
  const contenders = locks.find((result) => result.nodes === nodes)?.contenders ?? [];
  const [, ours, ...peers] = contenders;
  const place = `${nodes} ${nodes === 1 ? 'node' : 'nodes'}: `;
  const nearest = peers.toSorted((a, b) => b.oursToThis.median - a.oursToThis.median)[0];
  const peerRatio = nearest?.oursToThis.median;
  return [
    atMost(
      `${place}acquire and release, against raw${nodes === 1 ? '' : ' quorum'}`,
      ours?.cycleRatio.median,
      target,
    ),
    {
      figure: `${place}the same, against the fastest peer`,
      target: '< 1.00 ×',
      measured: peerRatio === undefined ? '–' : `${ratio(peerRatio)} (${nearest?.name})`,
      met: peerRatio === undefined ? undefined : peerRatio < 1,
    },
  ];
}

function commandsOf(instances: number, nodes: number, { figures }: Results['contention']): Show {
  const found = figures.find(
    (figure) => figure.way === 'package' && figure.instances === instances && figure.nodes === nodes,
  );
  const limit = instances + 4 * nodes;
  const most = found?.sent.max;
  return {
    figure: `commands per tick, ${instances} instances on ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`,
    target: `≤ ${limit}`,
    measured: most === undefined ? '–' : `${count(found?.sent.median ?? Number.NaN)}, at most ${count(most)}`,
    met: most === undefined ? undefined : most <= limit,
  };
}

function jobsAtOnce({ sizes }: Results['jobs']): Show {
  const jobs = 1000;
  const size = sizes.find((figures) => figures.jobs === jobs);
  const show = atMost(
    `${count(jobs)} jobs on one tick, against ${count(jobs)} raw SET NX at once`,
    size?.ratio.median,
    2,
  );
  return { ...show, met: show.met && size?.started === jobs };
}

function atMost(figure: string, value: number | undefined, limit: number): Show {
  return {
    figure,
    target: `≤ ${ratio(limit)}`,
    measured: ratio(value ?? Number.NaN),
    met: value === undefined ? undefined : value <= limit,
  };
}
