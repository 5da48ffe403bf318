import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { CronTime } from 'cron';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, sleep } from '../../src/clock.js';
import { Exclusive, type JobOptions, MemoryNode, RedlockService } from '../../src/index.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { timingOf } from '../../src/runs/claim-timing.js';
import type { RunRequest } from '../../src/runs/run-request.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { CronFiring, fire, IntervalFiring } from '../../src/schedule/firing.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, start } from '../module/application.js';

const START = Date.UTC(2031, 4, 7, 10);
const SECOND = 1000;
const INTERVAL = 5 * SECOND;

let clock: ManualClock;
let node: MemoryNode;
/** How long a run takes, in milliseconds. */
let work = 0;
/** Each run: the second of its tick, when it began and when it ended, on all instances. */
let runs: { readonly tick: number | undefined; readonly from: number; to?: number }[];

beforeEach(() => {
  clock = new ManualClock(START);
  node = new MemoryNode(clock.now);
  runs = [];
});
afterEach(() => void vi.restoreAllMocks());

/** An instance whose clock is behind. */
function behind(lag: number): Clock {
  const { elapsed } = clock;
  const now = (): number => clock.now() - lag;
  return {
    now,
    elapsed,
    setTimeout: (callback, delay) => clock.setTimeout(callback, delay),
    clearTimeout: (timer) => clock.clearTimeout(timer),
    turn: () => clock.turn(),
  };
}

interface Instance {
  readonly app: TestingModule;
  readonly reasons: string[];
  /** Fires the job, which is due every ten seconds. */
  fire(): Promise<unknown>;
  fireInterval(): Promise<unknown>;
}

async function instanceOf(
  options: JobOptions = { overlap: 'buffer-one' },
  nodes: readonly MemoryNode[] = [node],
  time: Clock = clock,
): Promise<Instance> {
  @Injectable()
  class Jobs {
    constructor(readonly redlock: RedlockService) {}

    @Exclusive('report', options)
    async report(): Promise<void> {
      const { tick, signal } = this.redlock.current() ?? {};
      const run: (typeof runs)[number] = {
        tick: tick ? (tick.getTime() - START) / SECOND : undefined,
        from: clock.elapsed(),
      };
      runs.push(run);
      await sleep(clock, work, signal);
      run.to = clock.elapsed();
    }

    @Interval(INTERVAL)
    @Exclusive('poll', { ...options, recover: false })
    async poll(): Promise<void> {
      await this.report();
    }
  }
  const app = await start({ redlock: { nodes, shutdownTimeout: 1 }, providers: [Jobs], clock: time });
  const reasons: string[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  const jobs = app.get(Jobs);
  const ticks = new CronTicks(new CronTime('*/10 * * * * *', 'UTC'));
  return {
    app,
    reasons,
    fire: () => fire(new CronFiring(jobs, ticks, time.now(), time), () => jobs.report()),
    fireInterval: () => fire(new IntervalFiring(INTERVAL, time.now(), time), () => jobs.poll()),
  };
}

function fleetOf(count: number, ...parts: Parameters<typeof instanceOf>): Promise<Instance[]> {
  return Promise.all(Array.from({ length: count }, () => instanceOf(...parts)));
}

/** Moves the clock to this many seconds after the start. */
const to = (seconds: number) => clock.advance(seconds * SECOND - clock.elapsed());

/** The seconds of the ticks that ran, in that order. */
const ticks = () => runs.map(({ tick }) => tick);

describe('a tick that finds a run in progress, with "buffer-one",', () => {
  it('starts at the moment at which that run ends on the same instance', async () => {
    const alone = await instanceOf();
    work = 13 * SECOND;
    void alone.fire();
    await to(10);
    void alone.fire();
    await to(20);
    expect(runs).toMatchObject([
      { tick: 0, to: 13 * SECOND },
      { tick: 10, from: 13 * SECOND },
    ]);
  });

  it('starts a little after that run has ended on another instance', async () => {
    const [a, b] = await fleetOf(2);
    work = 13 * SECOND;
    void a?.fire();
    await to(10);
    void b?.fire();
    await to(20);
    expect(ticks()).toEqual([0, 10]);
    expect(runs[1]?.from).toBeGreaterThanOrEqual(13 * SECOND);
    expect(runs[1]?.from).toBeLessThan(14 * SECOND);
  });

  it('gives up when the next tick is due, which then waits in its place', async () => {
    const [a, b] = await fleetOf(2);
    work = 25 * SECOND;
    void a?.fire();
    await to(10);
    const second = b?.fire();
    await to(19.9);
    expect(b?.reasons).toEqual([]);
    // Just before: with `waitForCompletion`, the scheduler would otherwise leave out the next tick.
    await to(19.96);
    await second;
    expect(b?.reasons).toEqual(['overlap']);
    await to(20);
    void b?.fire();
    await to(30);
    expect(ticks()).toEqual([0, 20]);
  });

  it('never comes after a newer one, however the clocks of the instances differ', async () => {
    const [a, late] = [await instanceOf(), await instanceOf(undefined, undefined, behind(4 * SECOND))];
    work = 21 * SECOND;
    void a.fire();
    await to(14);
    // By its clock, the tick of second 10 is due now, and that of second 20 in ten seconds.
    void late.fire();
    await to(20);
    void a.fire();
    work = SECOND;
    await to(40);
    const order = ticks();
    expect(order).toEqual(order.toSorted((one, other) => (one ?? 0) - (other ?? 0)));
    expect(order.at(-1)).toBe(20);
  });

  it('is waited for by two instances alone, at growing intervals', async () => {
    const fleet = await fleetOf(5);
    work = 19 * SECOND;
    void fleet[0]?.fire();
    await to(10);
    const claim = vi.spyOn(node, 'claim');
    for (const each of fleet) void each.fire();
    await to(18);
    expect(fleet.filter(({ reasons }) => reasons.includes('elsewhere'))).toHaveLength(3);
    // Five claims, and in eight seconds about twenty more by each of the two.
    expect(claim.mock.calls.length).toBeGreaterThan(5 + 2 * 10);
    expect(claim.mock.calls.length).toBeLessThan(5 + 2 * 40);
    await to(20);
    expect(ticks()).toEqual([0, 10]);
  });

  it('is waited for by eight instances at most, if the first answers do not come', async () => {
    const fleet = await fleetOf(10);
    work = 19 * SECOND;
    void fleet[0]?.fire();
    await to(10);
    const claim = vi.spyOn(node, 'claim').mockRejectedValue(new Error('down'));
    for (const each of fleet) void each.fire();
    await to(10.01);
    claim.mockRestore();
    await to(18);
    expect(fleet.filter(({ reasons }) => reasons.includes('elsewhere'))).toHaveLength(2);
    await to(20);
    expect(ticks()).toEqual([0, 10]);
  });

  it('is left to the other instance that waits, at once, by a shutdown', async () => {
    const [a, b, c] = await fleetOf(3);
    work = 15 * SECOND;
    void a?.fire();
    await to(10);
    void b?.fire();
    void c?.fire();
    await to(11);
    if (b) await close(b.app);
    expect(b?.reasons).toEqual(['shutdown']);
    await to(20);
    expect(ticks()).toEqual([0, 10]);
    expect(c?.reasons).toEqual([]);
  });

  it('outlasts a store that is down for a moment', async () => {
    const [a, b] = await fleetOf(2);
    work = 15 * SECOND;
    void a?.fire();
    await to(10);
    void b?.fire();
    await to(12);
    const claim = vi.spyOn(node, 'claim').mockRejectedValue(new Error('down'));
    for (let waited = 0; claim.mock.calls.length === 0 && waited < 3 * SECOND; waited += 10)
      await clock.advance(10);
    await clock.advance(100);
    claim.mockRestore();
    await to(20);
    expect(b?.reasons).toEqual([]);
    expect(ticks()).toEqual([0, 10]);
  });

  it('comes after the takeover of that run, with "recover"', async () => {
    const [a, b] = await fleetOf(2, { overlap: 'buffer-one', recover: true, ttl: 3 * SECOND });
    work = 15 * SECOND;
    void a?.fire();
    void b?.fire();
    await to(10);
    void b?.fire();
    await to(11);
    if (a) await close(a.app);
    work = 2 * SECOND;
    await to(19);
    expect(ticks()).toEqual([0, 0, 10]);
    expect(runs[2]?.from).toBeGreaterThanOrEqual(runs[1]?.to ?? Number.POSITIVE_INFINITY);
  });

  it('can be the call of an interval, which gives up when the interval fires again', async () => {
    const alone = await instanceOf();
    work = 13 * SECOND;
    void alone.fireInterval();
    await to(5);
    void alone.fireInterval();
    await to(10);
    expect(alone.reasons).toEqual(['overlap']);
    void alone.fireInterval();
    await to(14);
    expect(runs.map(({ from }) => from)).toEqual([0, 13 * SECOND]);
  });
});

describe('how long a claim waits for a run in progress', () => {
  const options = { ...resolveOptions({ nodes: 'memory' }).job, overlap: 'buffer-one' as const };
  const tick = { at: START, next: START + 10 * SECOND, keep: 60 * SECOND };
  const request = { name: 'report', options, tick };
  const after = (late: number, changes: Partial<RunRequest> = {}) =>
    timingOf('JOB_LOCKER', { ...request, ...changes }, START + late, []).buffer;

  it.each<[string, number | undefined, number | undefined]>([
    ['until the next tick is almost due', after(0), 9950],
    ['as much shorter as the timer was late', after(4000), 5950],
    ['as much shorter as the claim is spread', after(0, { spread: SECOND }), 9950 - 952],
    ['at least as long as without the option', after(9990), 250],
    ['not at all, before a takeover', after(0, { past: 'perhaps begun' }), undefined],
    ['not at all, before a second call in a firing', after(0, { past: 'run here' }), undefined],
    ['not at all, for a plain call', after(0, { tick: undefined }), undefined],
  ])('is %s', (_what, buffer, expected) => {
    expect(buffer).toBe(expected);
  });
});

describe('a plain call that finds a run in progress, with "buffer-one",', () => {
  it('does not wait', async () => {
    const alone = await instanceOf();
    work = 5 * SECOND;
    void alone.fire();
    await to(1);
    const redlock = alone.app.get(RedlockService);
    expect(await redlock.run('report', () => 1, { overlap: 'buffer-one' })).toEqual({
      ran: false,
      reason: 'overlap',
    });
  });
});

describe('on several nodes, a tick that finds a run in progress, with "buffer-one",', () => {
  it('asks the lead node in most attempts, and all of them in every fourth', async () => {
    const nodes = Array.from({ length: 3 }, () => new MemoryNode(clock.now));
    const fleet = await fleetOf(5, { overlap: 'buffer-one' }, nodes);
    work = 15 * SECOND;
    void fleet[0]?.fire();
    await to(10);
    const [lead, other] = nodes.map((each) => vi.spyOn(each, 'claim'));
    for (const each of fleet) void each.fire();
    await to(14);
    const [most, least] = [lead?.mock.calls.length ?? 0, other?.mock.calls.length ?? 0];
    // Two of them wait, and try about 30 times: the delays are random.
    expect(most).toBeLessThan(5 + 2 * 40);
    expect(least).toBeGreaterThan(0);
    expect(least).toBeLessThan(most / 2);
    await to(20);
    expect(ticks()).toEqual([0, 10]);
  });
});

/** What becomes of the tick of second 20, before which an instance whose clock lags runs that of second 0. */
async function ticksWithLag(overlap: 'skip' | 'buffer-one') {
  const [late, right] = [
    await instanceOf({ overlap }, undefined, behind(15 * SECOND)),
    await instanceOf({ overlap }),
  ];
  work = 7 * SECOND;
  await to(15);
  void late.fire();
  await to(20);
  void right.fire();
  await to(29);
  return { ran: ticks(), reasons: right.reasons };
}

describe('an instance whose clock lags by more than a period, when a fleet starts,', () => {
  it('costs the others a tick, with "skip"', async () => {
    expect(await ticksWithLag('skip')).toEqual({ ran: [0], reasons: ['overlap'] });
  });

  it('costs the others nothing, with "buffer-one"', async () => {
    expect(await ticksWithLag('buffer-one')).toEqual({ ran: [0, 20], reasons: [] });
  });
});
