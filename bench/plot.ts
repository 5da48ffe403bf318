import { RAW } from './application.js';
import { OURS } from './builds.js';
import { CROWDS, NODES, REDLOCK, SIZES as FLEETS } from './groups/fleets.js';
import { SIZES as JOBS } from './groups/jobs.js';
import { spreadOf } from './measure.js';
import type { Results } from './report.js';

interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

// All colours are of a middle lightness, to be seen on white and on black alike.
const GREY = '#808890';
const COLOURS = ['#2f81f7', '#e0663a', '#2da44e'];
const [WIDTH, HEIGHT] = [300, 220];
/** Of a chart with its labels. */
const OUTER = { width: 380, height: 346, left: 52, top: 34 };

/** How lateness and commands grow with the number of jobs, or of instances: charts on logarithmic axes. */
export function growthOf(groups: ReadonlyMap<string, Results>): string {
  const curve = (
    name: string,
    sizes: readonly number[],
    subject: string,
    place: (size: number) => string[],
  ) => ({
    name: name.replaceAll('-', ' '),
    points: sizes.map((x) => {
      const [group = '', setting = '', figure = ''] = place(x);
      const row = groups
        .get(group)
        ?.get(setting)
        ?.find((each) => each.name === subject);
      return { x, y: spreadOf(row?.rounds[figure] ?? []).median };
    }),
  });
  const jobs = (name: string, subject: string) =>
    curve(name, JOBS, subject, (size) => ['jobs', `${size}`, 'last']);
  const crowds = CROWDS.filter(([, count]) => count === 1000).map(([size]) => size);
  const crowd = (nodes: string) =>
    curve(nodes, crowds, OURS, (size) => ['crowd', `${size}x1000:${nodes}`, 'last']);
  const commands = (name: string, nodes: string, subject: string) =>
    curve(name, FLEETS, subject, (size) => ['instances', `${size}:${nodes}`, 'commands']);
  const charts = [
    chartOf('Jobs of one instance: ms until the last one starts', 'jobs', [
      jobs('this package', OURS),
      jobs('by hand', 'by hand'),
      jobs(`as many ${RAW}`, RAW),
    ]),
    chartOf(
      'Instances × 1,000 jobs: ms until the last one starts',
      'instances',
      NODES.map(({ name }) => crowd(name)),
    ),
    chartOf('Instances that claim one tick: commands to all nodes', 'instances', [
      commands('one node', 'one-node', OURS),
      commands('five nodes', 'five-nodes', OURS),
      commands('redlock 5, five nodes', 'five-nodes', REDLOCK),
    ]),
  ].map(
    (chart, index) =>
      `<g transform="translate(${index * OUTER.width + OUTER.left} ${OUTER.top})">${chart}</g>`,
  );
  const size = `${OUTER.width * charts.length} ${OUTER.height}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" font-family="system-ui, sans-serif" font-size="12" fill="${GREY}">
<title>How the work grows with jobs and instances</title>
${charts.join('\n')}
</svg>
`;
}

function chartOf(title: string, unit: string, curves: readonly Curve[]): string {
  const points = curves.flatMap((curve) => curve.points);
  const across = axis(points.map(({ x }) => x));
  const up = axis(points.map(({ y }) => y));
  const px = (value: number): string => (across.part(value) * WIDTH).toFixed(1);
  const py = (value: number): string => ((1 - up.part(value)) * HEIGHT).toFixed(1);
  const grid = `stroke="${GREY}" stroke-opacity="0.25"`;
  return [
    text(-40, -16, 'start', title),
    text(WIDTH, HEIGHT + 32, 'end', unit),
    ...across.decades.map(
      (x) => `<path d="M${px(x)} 0V${HEIGHT}" ${grid}/>${text(px(x), HEIGHT + 16, 'middle', x)}`,
    ),
    ...up.decades.map((y) => `<path d="M0 ${py(y)}H${WIDTH}" ${grid}/>${text(-6, py(y), 'end', y)}`),
    ...curves.map((curve, index) => {
      const colour = COLOURS[index];
      const line = curve.points.map(({ x, y }) => `${px(x)},${py(y)}`).join(' ');
      const dots = curve.points.map(({ x, y }) => `<circle cx="${px(x)}" cy="${py(y)}" r="3"/>`).join('');
      const y = HEIGHT + 50 + index * 16;
      return `<g fill="${colour}"><polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}
<rect y="${y - 9}" width="10" height="10"/></g>${text(16, y, 'start', `${curve.name}, grows as n^${exponentOf(curve)}`)}`;
    }),
  ].join('\n');
}

function text(x: number | string, y: number | string, anchor: string, label: number | string): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${label.toLocaleString('en')}</text>`;
}

/** A logarithmic axis, from one power of ten to another. */
function axis(values: readonly number[]): { part: (value: number) => number; decades: number[] } {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return {
    part: (value) => (Math.log10(value) - low) / (high - low),
    decades: Array.from({ length: high - low + 1 }, (_none, index) => 10 ** (low + index)),
  };
}

/** The exponent `b` of `y = a * x ** b`, from the first point to the last. */
function exponentOf({ points }: Curve): string {
  const [first, last] = [points[0], points.at(-1)];
  return first && last ? (Math.log(last.y / first.y) / Math.log(last.x / first.x)).toFixed(2) : '';
}
