import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { Fleet } from './fleet.js';
import type { Run } from './history.js';
import type { Violation } from './judge.js';
import { monotonicEpoch, monotonicNow } from './log.js';
import { verdicts } from './observe.js';

const PERIOD = 10_000;
/**
 * When instances start, in milliseconds after a tick. From then on, they look at idle nodes every ten seconds, and so
 * not while a tick is due: they learn of a short outage by what they claim.
 */
const START = 2500;
/** How soon a missed tick must be run once that is possible again, in milliseconds. */
const SOON = 2000;
/** A server that forgets ticks when it is killed cannot tell which were missed; the embedded engine cannot write. */
const isDurable = findEngine().kind === 'native';

/** A tick that fell into a time in which nobody could run it. */
class Outcome {
  /** Each time that it was run. */
  runs: readonly Run[] = [];
  /** How long after it was due it could be run, in milliseconds. */
  delay = Number.NaN;
  /** How long it took to run it from then on, in milliseconds. */
  took = Number.NaN;
  violations: readonly Violation[] = [];
  /** How long before it was due the last instance was gone, in milliseconds. */
  stoppedAhead = Number.NaN;

  /** @param interrupt Resolves when it is over, to the moment from which on the tick could be run, after it is due. */
  constructor(
    /** How long before the tick is due the fleet or the server stops, in milliseconds. */
    private readonly ahead: number,
    private readonly interrupt: (fleet: Fleet, server: RedisServer, due: number) => Promise<number>,
  ) {}

  async make(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'catch-up-'));
    const args = isDurable ? ['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always'] : [];
    const server = await RedisServer.start({ args });
    const job = { name: 'job', when: '*/10 * * * * *', work: 100, options: { missed: 'once' as const } };
    await pause((PERIOD + START - (Date.now() % PERIOD)) % PERIOD);
    const fleet = await Fleet.start({ clocks: [0, 0, 0], module: { nodes: [server.url] }, jobs: [job] });
    try {
      const from = monotonicNow();
      // A job that has never run is not caught up.
      const { tick: before } = await fleet.runAfter(from, 'job');
      const tick = (before ?? Number.NaN) + PERIOD;
      const due = tick - monotonicEpoch();
      await pause(due - this.ahead - monotonicNow());
      const backAt = await this.interrupt(fleet, server, due);
      this.delay = backAt - due;
      await pause(due + PERIOD + 2000 - monotonicNow());
      const { runs } = await fleet.history();
      this.runs = runs.filter((run) => run.tick === tick);
      this.took = (this.runs[0]?.start ?? Number.NaN) - backAt;
      const window = { from, until: monotonicNow() - 1500 };
      const nodeFaults = [{ node: 0, from: due - this.ahead, until: backAt + SOON }];
      const verdict = (await verdicts({ fleet, window, nodeCount: 1, nodeFaults })).get('job');
      this.violations = verdict?.violations ?? [];
    } finally {
      await fleet.stop();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

const restart: Outcome = new Outcome(5000, async (fleet, _server, due) => {
  for (let index = 0; index < fleet.size; index++) await fleet.at(index).terminate();
  restart.stoppedAhead = due - monotonicNow();
  await pause(due + 1000 - monotonicNow());
  for (let index = 0; index < fleet.size; index++) await fleet.restart(index);
  return fleet.at(0).life.up.from;
});

const outage = new Outcome(500, async (_fleet, server, due) => {
  await server.kill();
  await pause(due + 1500 - monotonicNow());
  await server.restart();
  return monotonicNow();
});

beforeAll(
  () => Promise.all([restart.make(), isDurable ? outage.make() : undefined]),
  // A period until the fleet starts, one until the first run, and two more.
  90_000,
);
describe("a tick of a job with missed: 'once'", () => {
  describe('that falls into the middle of a rolling restart which stops the whole fleet', () => {
    it('is due while no instance is up', () => {
      expect(restart.stoppedAhead).toBeGreaterThan(0);
      expect(restart.delay).toBeGreaterThan(0);
    });

    it('runs once', () => expect(restart.runs.length).toBe(1));

    it('runs within 2 s of the return of the first instance', () => expect(restart.took).toBeLessThan(SOON));

    it('costs nothing else', () => expect(restart.violations).toEqual([]));
  });

  describe.runIf(isDurable)('that falls into an outage of Redis', () => {
    it('is due before Redis is back', () => expect(outage.delay).toBeGreaterThan(0));

    it('runs once', () => expect(outage.runs.length).toBe(1));

    it('runs within 2 s of its return', () => expect(outage.took).toBeLessThan(SOON));

    it('costs nothing else', () => expect(outage.violations).toEqual([]));
  });
});
