import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startServers } from '../engine/redis-server.js';
import type { NodeFault, Span } from './conditions.js';
import { Fleet, type FleetOptions } from './fleet.js';
import type { Run } from './history.js';
import type { Verdict } from './judge.js';
import { monotonicEpoch, monotonicNow } from './log.js';
import { verdicts } from './observe.js';

const EVERY_SECOND = '* * * * * *';
/** What a busy machine may add to a moment that is measured, in milliseconds. */
const SLACK = 300;

/** Fleets and servers of this file, by the names of the faults; each fault has its own. */
const cleanups: (() => Promise<void>)[] = [];

async function newServers(count: number): Promise<RedisServer[]> {
  const servers = await startServers(count);
  cleanups.push(async () => void (await Promise.all(servers.map((server) => server.stop()))));
  return servers;
}

async function newFleet(
  servers: readonly RedisServer[],
  options: Omit<FleetOptions, 'clocks'>,
): Promise<Fleet> {
  const nodes = servers.map(({ url }) => url);
  const fleet = await Fleet.start({ clocks: [0, 0, 0], ...options, module: { nodes, ...options.module } });
  cleanups.push(() => fleet.stop());
  await pause(2000);
  return fleet;
}

/** An instance that was killed in the middle of a run, and what happened next. */
interface Death {
  readonly at: number;
  readonly run: Run;
  /** The next run of another tick. */
  readonly next: Run;
  /** The next run of the same tick. */
  readonly again: Run | undefined;
}

async function killInMidRun(fleet: Fleet, job: string): Promise<Death> {
  const run = await fleet.runInProgress(job);
  const index = fleet.indexOf(run.instance);
  await pause(run.start + 200 - monotonicNow());
  const at = monotonicNow();
  await fleet.at(index).kill();
  let next = await fleet.runAfter(at, job);
  const again = next.tick !== null && next.tick === run.tick ? next : undefined;
  if (again) next = await fleet.runAfter(again.start, job);
  await fleet.restart(index);
  await pause(1500);
  return { at, run, next, again };
}

/** What the judge says of a fleet from `from` on, some while after all that was done to it. */
async function judged(
  fleet: Fleet,
  from: number,
  nodeCount: number,
  nodeFaults: NodeFault[] = [],
): Promise<Verdict[]> {
  await pause(3000);
  const window = { from, until: monotonicNow() - 1500 };
  return [...(await verdicts({ fleet, window, nodeCount, nodeFaults })).values()];
}

function violations(of: readonly Verdict[]): unknown[] {
  return of.flatMap((verdict) => verdict.violations);
}

const crash = { plain: [] as Death[], recovering: [] as Death[], verdicts: [] as Verdict[] };

async function crashes(): Promise<void> {
  const when = EVERY_SECOND;
  const fleet = await newFleet(await newServers(1), {
    module: { ttl: 5000 },
    jobs: [
      { name: 'plain', when, work: 600 },
      { name: 'recovering', when, work: 600, options: { recover: true } },
    ],
    logCalls: true,
  });
  const from = monotonicNow();
  crash.plain.push(await killInMidRun(fleet, 'plain'));
  crash.recovering.push(await killInMidRun(fleet, 'recovering'));
  crash.plain.push(await killInMidRun(fleet, 'plain'));
  crash.recovering.push(await killInMidRun(fleet, 'recovering'));
  crash.verdicts = await judged(fleet, from, 1);
}

const hang = { delays: [] as number[], verdicts: [] as Verdict[] };

async function hangingMinority(): Promise<void> {
  const servers = await newServers(5);
  const fleet = await newFleet(servers, {
    module: {},
    jobs: [{ name: 'short', when: EVERY_SECOND, work: 30 }],
  });
  const from = monotonicNow();
  const hanging: Span[] = [];
  for (const pair of [servers.slice(0, 2), servers.slice(2, 4)]) {
    for (const server of pair) server.pause();
    const pausedAt = monotonicNow();
    await pause(15_000);
    hanging.push({ from: pausedAt, until: monotonicNow() });
    for (const server of pair) server.resume();
    await pause(3000);
  }
  hang.verdicts = await judged(fleet, from, 5);
  const { runs } = await fleet.history();
  hang.delays = hanging.flatMap((span) => startDelays(runs, span)).toSorted((a, b) => a - b);
}

/** How long after their time the ticks of a time were started, in milliseconds, the longest last. */
function startDelays(runs: readonly Run[], { from, until }: Span): number[] {
  const epoch = monotonicEpoch();
  return runs
    .map(({ start, tick }) => ({ start, due: (tick ?? Number.NaN) - epoch }))
    .filter(({ due }) => due > from && due < until)
    .map(({ start, due }) => start - due)
    .toSorted((a, b) => a - b);
}

const outage = {
  during: [] as Run[],
  delays: [] as number[],
  resumedAfter: Number.NaN,
  keys: [] as string[],
  /** How often each tick was run that was due when all were back. */
  runsOfTicks: [] as number[],
  verdicts: [] as Verdict[],
};

async function deadMajority(): Promise<void> {
  const servers = await newServers(5);
  const dead = servers.slice(0, 3);
  const fleet = await newFleet(servers, {
    module: {},
    jobs: [{ name: 'short', when: EVERY_SECOND, work: 300 }],
  });
  const from = monotonicNow();
  await fleet.runInProgress('short');
  await Promise.all(dead.map((server) => server.kill()));
  const killedAt = monotonicNow();
  await pause(10_000);
  const backAt = monotonicNow();
  await Promise.all(dead.map((server) => server.restart()));
  const restartedAt = monotonicNow();
  const nodeFaults = [0, 1, 2].map((node) => ({ node, from: killedAt - 500, until: restartedAt + 2000 }));
  await pause(8000);
  const endedAt = monotonicNow();
  outage.verdicts = await judged(fleet, from, 5, nodeFaults);
  await fleet.terminate();

  const { runs } = await fleet.history();
  outage.during = runs.filter(({ start }) => start > killedAt + 10 && start < backAt);
  outage.resumedAfter = (runs.find(({ start }) => start >= backAt)?.start ?? Number.NaN) - restartedAt;
  outage.delays = startDelays(runs, { from: killedAt, until: Infinity });
  const epoch = monotonicEpoch();
  for (
    let tick = Math.ceil((restartedAt + 2000 + epoch) / 1000) * 1000;
    tick < epoch + endedAt;
    tick += 1000
  ) {
    outage.runsOfTicks.push(runs.filter((run) => run.tick === tick).length);
  }
  outage.keys = (await Promise.all(servers.map(keysOf))).flat();
}

async function keysOf({ url }: RedisServer): Promise<string[]> {
  const client = new Redis(url);
  const keys = await client.keys('*');
  client.disconnect();
  return keys;
}

const interval = {
  idle: [] as { last: Run; next: Run }[],
  busy: [] as { at: number; next: Run }[],
  ttl: 2000,
  period: 1000,
};

async function dyingIntervals(): Promise<void> {
  const { ttl, period } = interval;
  const servers = await newServers(1);
  const jobs = [
    { name: 'idle', when: period, work: 10 },
    { name: 'busy', when: period, work: 1500 },
  ];
  const kill = async (job: string, after: number): Promise<{ at: number; last: Run; next: Run }> => {
    const last = await fleet.runAfter(monotonicNow(), job);
    await pause(last.start + after - monotonicNow());
    const at = monotonicNow();
    await fleet.at(fleet.indexOf(last.instance)).kill();
    const next = await fleet.runAfter(at, job);
    await fleet.restart(fleet.indexOf(last.instance));
    await pause(1500);
    return { at, last, next };
  };
  const fleet = await newFleet(servers, { module: { ttl }, jobs });
  for (let round = 0; round < 3; round++) {
    interval.idle.push(await kill('idle', 200));
    interval.busy.push(await kill('busy', 400));
  }
}

// All faults at once: each needs half a minute of real time, and hardly any of the machine's.
beforeAll(() => Promise.all([crashes(), hangingMinority(), deadMajority(), dyingIntervals()]), 150_000);
afterAll(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

describe('an instance that is killed in the middle of a run, with a ttl of 5 s', () => {
  it('is followed by the next run within 6 s', () => {
    expect(crash.plain.length).toBe(2);
    for (const { at, next, again } of [...crash.plain, ...crash.recovering]) {
      expect(next.start - at).toBeGreaterThan(0);
      expect((again ?? next).start - at).toBeLessThan(6000);
    }
  });

  it('has its tick run again within 6 s where the job recovers, and only there', () => {
    expect(crash.recovering.length).toBe(2);
    expect(crash.plain.map(({ again }) => again)).toEqual([undefined, undefined]);
    for (const { at, again } of crash.recovering) expect((again?.start ?? Infinity) - at).toBeLessThan(6000);
  });

  it('costs nothing else', () => expect(violations(crash.verdicts)).toEqual([]));
});

describe('two of five nodes that hang for 15 s', () => {
  it('cost no tick, and repeat none', () => {
    expect(violations(hang.verdicts)).toEqual([]);
    expect(hang.verdicts[0]?.unrun).toBe(0);
    expect(hang.delays.length).toBeGreaterThanOrEqual(28);
  });

  it('delay starts by less than the timeout of a node', () => {
    expect(hang.delays[Math.ceil(hang.delays.length * 0.95) - 1]).toBeLessThan(500);
  });
});

describe('three of five nodes that are dead for 10 s', () => {
  it('let nothing run', () => expect(outage.during).toEqual([]));

  it('let nothing run late afterwards', () => expect(outage.delays.at(-1)).toBeLessThan(1000));

  it('let runs go on within 2 s of their return', () => expect(outage.resumedAfter).toBeLessThan(2000));

  it('leave no lock behind', () => {
    expect(outage.keys).not.toContain('JOB_LOCKER_short');
    expect(outage.keys.length).toBeGreaterThan(0);
  });

  it('cost only the ticks of that time', () => {
    expect(violations(outage.verdicts)).toEqual([]);
    // To the judge the run that could not be settled holds its lock for one lease: so they are counted here.
    expect(outage.runsOfTicks.length).toBeGreaterThan(4);
    expect(outage.runsOfTicks.filter((runs) => runs !== 1)).toEqual([]);
  });
});

describe('an interval job whose instance dies', () => {
  it('goes on within one interval of when it would have been run', () => {
    expect(interval.idle.length).toBe(3);
    for (const { last, next } of interval.idle) {
      expect(next.start - last.start).toBeLessThan(2 * interval.period + SLACK);
    }
  });

  it('goes on one lease later, if it died in the middle of a run', () => {
    expect(interval.busy.length).toBe(3);
    for (const { at, next } of interval.busy) {
      expect(next.start - at).toBeLessThan(interval.ttl + interval.period + SLACK);
    }
  });
});
