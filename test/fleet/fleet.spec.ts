import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisServer, startServers } from '../engine/redis-server.js';
import { Fleet } from './fleet.js';
import type { Run } from './history.js';
import type { JobSpec } from './instance.js';
import type { Verdict } from './judge.js';
import { monotonicNow } from './log.js';
import { verdicts } from './observe.js';

/** How long the fleets are watched, in milliseconds: somewhat more than 60 ticks. */
const WATCHED = 61_500;

const JOBS: readonly JobSpec[] = [
  { name: 'short', when: '* * * * * *', work: 30 },
  // Longer than its lease, too: it overlaps unless it is renewed.
  { name: 'long', when: '* * * * * *', work: 1700, options: { ttl: 1500 } },
  { name: 'interval', when: 1000, work: 30 },
];

/** What can be printed on a busy machine, and is not about any tick: a late timer, and nodes that come and go. */
const OTHER_LINES =
  /^\[Cron\] Missed|(votes|is available) again|There is (?:no|a) quorum of the nodes|by this instance: there was no quorum of the nodes|No lock can be acquired|Locks can be acquired/;

/** What is printed of a tick that nobody runs, as the run before it is not over. */
const OVERLAP_LINE =
  /The tick of \S+ of "long" was not run: an earlier run on \S+ called at \S+ still holds the lock/;

/** What is printed of ticks that were due before the instance was up. */
const BEFORE_START = /ticks?,? (?:of|from .+ to) (\S+Z),? of "\w+" ran on no instance: perhaps none was up/;

/** Whether a line is about ticks that instances with clocks apart have left to each other while the fleet started. */
function isOfStart(line: string, started: number): boolean {
  const [, tick] = BEFORE_START.exec(line) ?? [];
  return tick !== undefined && Date.parse(tick) < started;
}

/** One fleet of three, and what came of it. */
class Observation {
  verdicts = new Map<string, Verdict>();
  runs: readonly Run[] = [];
  lines: readonly string[] = [];

  constructor(
    readonly clocks: readonly number[],
    readonly nodeCount: number,
    private readonly jobs: readonly JobSpec[] = JOBS,
  ) {}

  async make(servers: readonly RedisServer[], keyPrefix: string): Promise<void> {
    const nodes = servers.slice(0, this.nodeCount).map(({ url }) => url);
    const fleet = await Fleet.start({
      clocks: this.clocks,
      module: { nodes, keyPrefix },
      jobs: this.jobs,
      logCalls: true,
    });
    // By the clock that is ahead of all others.
    const started = Date.now() + Math.max(...this.clocks) + 2000;
    try {
      const from = monotonicNow() + 2000;
      await pause(2000 + WATCHED);
      const window = { from, until: monotonicNow() - 1500 };
      // Those whose clocks are behind come to the last ticks only now.
      await pause(3000);
      await fleet.terminate();
      this.verdicts = await verdicts({ fleet, window, nodeCount: this.nodeCount });
      this.runs = (await fleet.history()).runs;
      this.lines = fleet
        .outputWhileUp()
        .filter(({ text }) => !OTHER_LINES.test(text))
        .filter(({ text }) => !isOfStart(text, started))
        .map(({ instance, text }) => `${instance}: ${text}`);
    } finally {
      await fleet.stop();
    }
  }
}

const near = [0, 400, -400];
const apart = [0, 2500, -2500];
const guarded = [
  new Observation(near, 1),
  new Observation(near, 5),
  new Observation(apart, 1),
  new Observation(apart, 5),
];
const farApart = new Observation([0, 30_000, -30_000], 1);
const unguarded = new Observation(
  near,
  1,
  JOBS.map((job) => ({ ...job, unguarded: true })),
);
const all = [...guarded, farApart, unguarded];

let servers: readonly RedisServer[] = [];

// All of them at once: each needs a minute of real time, and hardly any of the machine's.
beforeAll(async () => {
  servers = await startServers(5);
  await Promise.all(all.map((observation, index) => observation.make(servers, `FLEET_${index}`)));
}, 180_000);

afterAll(() => Promise.all(servers.map((server) => server.stop())));

describe.each(guarded)('three processes with clocks $clocks ms off, $nodeCount node(s)', (observation) => {
  it('run each tick of a short job once', () => {
    const verdict = observation.verdicts.get('short');
    expect(verdict?.violations).toEqual([]);
    expect(verdict?.ticks).toBeGreaterThanOrEqual(60);
    expect(verdict?.unrun).toBe(0);
  });

  it('never overlap a job that is longer than its period, nor repeat a tick of it', () => {
    const verdict = observation.verdicts.get('long');
    expect(verdict?.violations).toEqual([]);
    expect(verdict?.runs).toBeGreaterThanOrEqual(20);
  });

  it('keep the distance of an interval over the whole fleet', () => {
    const verdict = observation.verdicts.get('interval');
    expect(verdict?.violations).toEqual([]);
    expect(verdict?.runs).toBeGreaterThanOrEqual(40);
  });

  it('print one line for the ticks of the long job that nobody runs, and none for those that they skip', () => {
    const overlaps = observation.lines.filter((line) => OVERLAP_LINE.test(line));
    const others = observation.lines.filter((line) => !OVERLAP_LINE.test(line));
    // Some of them are enough to see what is wrong.
    expect(others.slice(0, 5)).toEqual([]);
    expect(overlaps.length).toBeGreaterThan(0);
    expect(new Set(overlaps.map((line) => line.split(':')[0])).size).toBe(overlaps.length);
  });
});

describe('three processes whose clocks are 30 s apart', () => {
  it('run each tick once', () => {
    const verdict = farApart.verdicts.get('short');
    expect(verdict?.violations).toEqual([]);
    expect(verdict?.unrun).toBe(0);
    expect(farApart.verdicts.get('long')?.violations).toEqual([]);
  });
});

describe('three processes without @Exclusive', () => {
  it('run everything three times, which the judge sees', () => {
    const verdict = unguarded.verdicts.get('short');
    const duplicates = verdict?.violations.filter(({ kind }) => kind === 'duplicate') ?? [];
    expect(duplicates.length).toBeGreaterThan(100);
    const overlaps =
      unguarded.verdicts.get('long')?.violations.filter(({ kind }) => kind === 'overlap') ?? [];
    expect(overlaps.length).toBeGreaterThan(100);
    const early = unguarded.verdicts.get('interval')?.violations.filter(({ kind }) => kind === 'early') ?? [];
    expect(early.length).toBeGreaterThan(50);
  });
});
