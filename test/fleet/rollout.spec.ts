import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startServers } from '../engine/redis-server.js';
import { Fleet } from './fleet.js';
import type { Run } from './history.js';
import type { JobSpec } from './instance.js';
import type { Verdict } from './judge.js';
import { monotonicNow } from './log.js';
import { verdicts } from './observe.js';

const EVERY_SECOND = '* * * * * *';
const WATCHED = 45_000;
const RESTART_EVERY = 6000;
const LEASE = 3000;

let servers: readonly RedisServer[] = [];

class Outcome {
  verdict: Verdict | undefined;
  runs: readonly Run[] = [];
  /** When instances died of themselves. */
  deaths: readonly { readonly at: number; readonly instance: string }[] = [];

  constructor(
    readonly clocks: readonly number[],
    private readonly job: JobSpec,
    private readonly change: (fleet: Fleet, signal: AbortSignal) => Promise<void>,
  ) {}

  async make(keyPrefix: string): Promise<void> {
    const module = { nodes: servers.map(({ url }) => url), keyPrefix };
    const fleet = await Fleet.start({ clocks: this.clocks, module, jobs: [this.job], logCalls: true });
    const ending = new AbortController();
    try {
      await pause(2000);
      const from = monotonicNow();
      const changing = this.change(fleet, ending.signal);
      await pause(WATCHED);
      ending.abort();
      const until = monotonicNow();
      await changing;
      await pause(5500);
      const observed = await verdicts({ fleet, window: { from, until }, nodeCount: 5 });
      this.verdict = observed.get(this.job.name);
      this.runs = (await fleet.history()).runs;
      const died = fleet.lives().filter(({ killed, goneAt }) => killed && goneAt < until);
      this.deaths = died.map(({ name, goneAt }) => ({ at: goneAt, instance: name }));
    } finally {
      ending.abort();
      await fleet.stop();
    }
  }
}

/** Replaces one instance after the other, as a deployment does. */
async function rollOut(fleet: Fleet, signal: AbortSignal): Promise<void> {
  for (let index = 0; ; index = (index + 1) % fleet.size) {
    await pause(RESTART_EVERY, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await fleet.at(index).terminate();
    await fleet.restart(index);
  }
}

const work = { name: 'job', when: EVERY_SECOND, work: 300 };
const rollouts = [new Outcome([0, 0, 0], work, rollOut), new Outcome([0, 2500, -2500], work, rollOut)];

const dying = { name: 'job', when: EVERY_SECOND, work: 800, dieEvery: 7 };
const restart = (fleet: Fleet, signal: AbortSignal): Promise<void> => fleet.restartTheDead(signal);
const plain = new Outcome([0, 0, 0], { ...dying, options: { ttl: LEASE } }, restart);
const recovering = new Outcome([0, 0, 0], { ...dying, options: { ttl: LEASE, recover: true } }, restart);

beforeAll(async () => {
  servers = await startServers(5);
  await Promise.all([...rollouts, plain, recovering].map((outcome, index) => outcome.make(`FLEET_${index}`)));
}, 150_000);

afterAll(() => Promise.all(servers.map((server) => server.stop())));

describe.each(rollouts)('a rolling restart, one of three every 6 s, clocks $clocks ms off', (outcome) => {
  it('costs no tick, and repeats none', () => {
    expect(outcome.verdict?.violations).toEqual([]);
    expect(outcome.verdict?.unrun).toBe(0);
    expect(outcome.verdict?.ticks).toBeGreaterThanOrEqual(44);
  });
});

describe('an instance that kills itself in the middle of each 7th tick, with a ttl of 3 s', () => {
  it('holds nobody up for longer than its lease', () => {
    expect(plain.verdict?.violations).toEqual([]);
    expect(plain.deaths.length).toBeGreaterThanOrEqual(5);
    expectSoon(plain);
  });

  it('has each of its ticks run again, where the job recovers', () => {
    expect(recovering.verdict?.violations).toEqual([]);
    expect(recovering.deaths.length).toBeGreaterThanOrEqual(5);
    expectSoon(recovering);
    for (const { at, instance } of recovering.deaths) {
      const killed = recovering.runs.findLast((run) => run.instance === instance);
      const again = recovering.runs.filter(({ tick, start }) => tick === killed?.tick && start > at);
      expect(again.map(({ end }) => end !== undefined)).toEqual([true]);
    }
  });
});

/** Runs go on within one lease after an instance has died. */
function expectSoon({ deaths, runs }: Outcome): void {
  const gaps = deaths.map(({ at }) => (runs.find(({ start }) => start > at)?.start ?? Infinity) - at);
  for (const gap of gaps) expect(gap).toBeLessThan(LEASE);
}
