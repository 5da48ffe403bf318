import { exponentOf } from './measure.js';
import type { Results } from './results.js';

/** How something grows with the number of jobs, or of instances. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Of `y = a * x ** exponent`. */
  readonly exponent: number;
}

/** Curves with the same axes. */
export interface Chart {
  readonly title: string;
  /** What is counted along the horizontal axis. */
  readonly x: string;
  readonly curves: readonly Curve[];
}

/** (g) How the figures of (c) and (d) grow. */
export function chartsOf({ jobs, contention }: Pick<Results, 'jobs' | 'contention'>): Chart[] {
  const figures = (way: string, nodes: number) =>
    contention.figures.filter((figure) => figure.way === way && figure.nodes === nodes);
  const several = Math.max(...contention.figures.map(({ nodes }) => nodes));
  const starts = (name: string, way: string, nodes: number): Curve =>
    curve(
      name,
      figures(way, nodes).map(({ instances, start }) => ({ x: instances, y: start.median })),
    );
  const commands = (name: string, way: string, nodes: number): Curve =>
    curve(
      name,
      figures(way, nodes).map(({ instances, sent }) => ({ x: instances, y: sent.median })),
    );
  return [
    {
      title: 'Jobs on one tick: ms until all have started',
      x: 'jobs',
      curves: [
        curve(
          'this package',
          jobs.sizes.map((size) => ({ x: size.jobs, y: size.allStarted.median })),
        ),
        curve(
          'raw SET NX',
          jobs.sizes.map((size) => ({ x: size.jobs, y: size.raw.median })),
        ),
      ],
    },
    {
      title: 'Instances for one tick: ms until the winner starts',
      x: 'instances',
      curves: [
        starts('1 node', 'package', 1),
        starts(`${several} nodes`, 'package', several),
        starts('raw SET NX, 1 node', 'raw', 1),
      ],
    },
    {
      title: 'Instances for one tick: commands to all nodes',
      x: 'instances',
      curves: [
        commands('1 node', 'package', 1),
        commands(`${several} nodes`, 'package', several),
        commands(`redlock 5, ${several} nodes`, 'redlock', several),
      ],
    },
  ];
}

function curve(name: string, points: readonly { readonly x: number; readonly y: number }[]): Curve {
  const known = points.filter(({ y }) => Number.isFinite(y) && y > 0);
  return { name, points: known, exponent: exponentOf(known) };
}
