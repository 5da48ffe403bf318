import { type Chart, chartsOf } from './growth.js';
import type { Machine } from './machine.js';
import type { Results } from './results.js';
import type { Show } from './shows.js';
import { bytes, count, counts, printTable, ratios, time, times } from './table.js';

export function printMachine(machine: Machine, plan: string): void {
  const { cpu, cores, memory, system, node, engine, loadBefore, versions } = machine;
  console.log(`${cpu}, ${cores} cores, ${memory}; ${system}; Node ${node}; ${engine}; ${plan} run`);
  console.log(
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  );
  if (loadBefore > 0.5)
    console.log(`The machine was at work before we began (load ${loadBefore.toFixed(1)})`);
  console.log('Medians; in brackets the middle half of all rounds');
}

export function printLocks(locks: Results['locks']): void {
  for (const { nodes, contenders } of locks) {
    printTable(
      `Locks on ${nodes} ${nodes === 1 ? 'node' : 'nodes'}, one after another, all over the same connections`,
      ['', 'acquire', 'against raw', 'acquire and release', 'against raw'],
      contenders.map(({ name, acquire, acquireRatio, cycle, cycleRatio }) => [
        name,
        times(acquire),
        ratios(acquireRatio),
        times(cycle),
        ratios(cycleRatio),
      ]),
    );
  }
}

export function printStarts({ busy, paused }: Results['starts']): void {
  printTable(
    'From the call of the scheduler to the first line of the method, on one node',
    ['', 'raw SET NX PX', 'decorated method', 'against raw', 'by hand', 'that against raw'],
    (
      [
        ['one after another', busy],
        ['each after a pause', paused],
      ] as const
    ).map(([name, { raw, start, ratio, byHand, byHandRatio }]) => [
      name,
      times(raw),
      times(start),
      ratios(ratio),
      times(byHand),
      ratios(byHandRatio),
    ]),
  );
}

export function printJobs({ sizes, leftOut }: Results['jobs']): void {
  printTable(
    'Jobs on the same tick in one instance, until all have started, on one node',
    [
      'jobs',
      'as many raw SET NX PX at once',
      'all started',
      'against raw',
      'started',
      'by hand',
      'that against raw',
    ],
    sizes.map(({ jobs, raw, allStarted, ratio, started, byHand, byHandRatio }) => [
      count(jobs),
      times(raw),
      times(allStarted),
      ratios(ratio),
      started === jobs ? 'all' : `${count(started)} at worst`,
      times(byHand),
      ratios(byHandRatio),
    ]),
  );
  for (const reason of leftOut) console.log(`Left out: ${reason}`);
}

const WAYS = { package: 'this package', raw: 'raw SET NX PX', redlock: 'redlock 5, retryCount 0' };

export function printContention({ figures, bytesPerConnection, leftOut }: Results['contention']): void {
  printTable(
    'Instances that claim one tick at the same moment, with connections of their own, in a few processes',
    [
      'instances × nodes',
      'way',
      'ticks',
      'missed',
      'twice',
      'winner starts',
      'commands sent',
      'inside scripts',
      'in',
      'out',
      'CPU of Redis',
    ],
    figures.map((figure) => [
      `${count(figure.instances)} × ${figure.nodes}`,
      WAYS[figure.way],
      count(figure.ticks),
      count(figure.missed),
      count(figure.doubled),
      times(figure.start),
      `${counts(figure.sent)}${figure.agreed ? '' : ` (clients: ${counts(figure.sentByClients)})`}`,
      counts(figure.inside),
      bytes(figure.bytesIn.median),
      bytes(figure.bytesOut.median),
      time(figure.cpu.median),
    ]),
  );
  console.log(`One connection takes ${bytes(bytesPerConnection)} of memory in Redis`);
  for (const reason of leftOut) console.log(`Left out: ${reason}`);
}

export function printSlowNode({ delay, locks, ticks, firstTick }: Results['slowNode']): void {
  printTable(
    `One of three nodes is ${delay} ms late`,
    ['', 'three healthy nodes', 'one late', 'against healthy'],
    [
      ...locks.map((figures) => ({ ...figures, name: `lock: ${figures.name}` })),
      ...ticks.map((figures) => ({ ...figures, name: `tick of a decorated method: ${figures.name}` })),
    ].map(({ name, healthy, slow, ratio }) => [name, times(healthy), times(slow), ratios(ratio)]),
  );
  console.log(
    `The very first tick, when the instance does not know its first node is slow: ${time(firstTick)}`,
  );
}

export function printEndurance(results: Results['endurance']): void {
  const { ticks, jobs, seconds, heapGrowth, heaps, keysAtEnd, keysAfterMinute } = results;
  printTable(
    `${count(ticks)} ticks in one instance, ${jobs} jobs at a time, in ${seconds.toFixed(0)} s, on a Redis of their own`,
    ['', 'at the end', 'a minute later'],
    [
      ['keys', count(keysAtEnd.all), count(keysAfterMinute.all)],
      ['  markers of ticks', count(keysAtEnd.tickMarkers), count(keysAfterMinute.tickMarkers)],
      ['  newest tick of a job', count(keysAtEnd.last), count(keysAfterMinute.last)],
      ['  other', count(keysAtEnd.other), count(keysAfterMinute.other)],
    ],
  );
  const first = heaps[0] ?? Number.NaN;
  console.log(
    `Heap after collection: ${bytes(first)} before, and along the way ${heaps
      .slice(1)
      .map((heap) => `${heap >= first ? '+' : '−'}${bytes(Math.abs(heap - first))}`)
      .join(', ')}: grown by ${bytes(heapGrowth)}`,
  );
  console.log(
    'The Date of that process was moved on by a minute a step, in the past; Redis and its lifetimes went by real time.',
  );
}

export function printGrowth(results: Pick<Results, 'jobs' | 'contention'>): Chart[] {
  const charts = chartsOf(results);
  printTable(
    'Growth: y = a · n^exponent',
    ['', 'from – to', 'exponent'],
    charts.flatMap(({ title, x, curves }) =>
      curves.map(({ name, points, exponent }) => [
        `${title}: ${name}`,
        `${count(points[0]?.x ?? Number.NaN)} – ${count(points.at(-1)?.x ?? Number.NaN)} ${x}`,
        exponent.toFixed(2),
      ]),
    ),
  );
  return charts;
}

export function printShows(shows: readonly Show[]): void {
  printTable(
    'Targets',
    ['figure', 'target', 'measured', 'met'],
    shows.map(({ figure, target, measured, met }) => [
      figure,
      target,
      measured,
      met === undefined ? 'not measured' : met ? 'yes' : 'NO',
    ]),
  );
}
