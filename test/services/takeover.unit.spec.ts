import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { decodeRecord } from '../../src/records/run-record.js';
import type { Claim } from '../../src/nodes/index.js';
import { sleep } from '../../src/clock.js';
import { JobRunner } from '../../src/services/job-runner.service.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

const TTL = 2000;
const TICK = newYear().getTime();

let clock: ManualClock;
let node: MemoryNode;
/** When each run began, on the monotonic clock. */
let starts: number[];
/** The ticks of these runs. */
let ticks: (Date | null | undefined)[];
let work: number;
beforeEach(() => {
  clock = new ManualClock(TICK);
  node = new MemoryNode(clock.now);
  starts = [];
  ticks = [];
  work = 0;
});

@Injectable()
class Jobs {
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('recovers'))
  @Exclusive('recovers', { ttl: TTL, recover: true })
  async recovers(): Promise<void> {
    starts.push(clock.elapsed());
    ticks.push(this.redlock.current()?.tick);
    if (work > 0) await sleep(clock, work);
  }

  @Cron(ONCE_A_YEAR, byHand('runs anyway'))
  @Exclusive('runs anyway', { ttl: TTL, recover: true, onStoreDown: 'run' })
  runsAnyway(): void {}

  @Cron(ONCE_A_YEAR, byHand('does not'))
  @Exclusive('does not', { ttl: TTL })
  async doesNot(): Promise<void> {
    starts.push(clock.elapsed());
  }
}

const parts = () => ({ redlock: { nodes: node }, providers: [Jobs], clock });

/** Claims the tick as an instance does that dies at once, and so never renews its lease. */
async function claimAndDie(name: string, recover: boolean): Promise<void> {
  const keys = new JobKeys('JOB_LOCKER', name);
  const tick = { key: keys.tick(TICK), last: keys.last, at: TICK, keep: 60_000, recover };
  const claim: Claim = { lock: keys.lock, tick };
  expect(await node.claim(claim, 'an instance that dies', TTL)).toEqual({ kind: 'granted' });
}

async function fireAll(apps: readonly TestingModule[], job: string): Promise<void> {
  for (const app of apps) await clock.until(fire(app, job));
}

it('a takeover leaves it to the next tick to report the ticks that found the dead run', async () => {
  @Injectable()
  class EachMinute {
    @Cron('0 * * * * *', { ...byHand('report'), timeZone: 'UTC' })
    @Exclusive('report', { ttl: '150s', recover: true })
    report(): void {}
  }
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes: node }, providers: [EachMinute], clock, logger });
  const redlock = app.get(RedlockService);
  const missed: string[] = [];
  redlock.on('missed', ({ cause, from, count }) => missed.push(`${cause} ${from.getMinutes()} ${count}`));
  await clock.until(fire(app, 'report'));

  await clock.advance(60_000);
  const keys = new JobKeys('JOB_LOCKER', 'report');
  const [at, keep] = [TICK + 60_000, 60_000];
  const run = { runId: 'died', trigger: 'schedule' as const, calledAt: at, tick: at };
  const history = { records: keys.records, begun: keys.begun, limit: 50, keep: 86_400_000 };
  const tick = { key: keys.tick(at), last: keys.last, at, keep, recover: true };
  const claim: Claim = { lock: keys.lock, tick, history };
  await node.claim(claim, tokensOf('dead')(describeRun(run)), 150_000);
  for (let minute = 1; minute <= 3; minute++) {
    await clock.until(fire(app, 'report'));
    await clock.advance(60_000);
  }
  expect((await redlock.history('report'))[0]?.trigger).toBe('recover');
  expect(missed).toEqual([]);
  await clock.until(fire(app, 'report'));
  await clock.idle();
  expect(missed).toEqual(['died 2 2']);
  // Nobody had begun these two; the tick that was begun is complete.
  expect(logger.at('warn')).toContainEqual(
    expect.stringMatching(/^2 ticks, .* had no complete run: a run begun then or earlier never finished/),
  );
});

describe('a tick whose instance dies in the middle of the run', () => {
  it('is run again by one of the losers within 250 ms after the lease', async () => {
    const apps = await startFleet(3, parts());
    await claimAndDie('recovers', true);
    await fireAll(apps, 'recovers');
    await clock.advance(TTL - 1);
    expect(starts).toEqual([]);
    await clock.advance(251);
    expect(ticks).toEqual([newYear()]);
    await clock.advance(10 * TTL);
    expect(starts).toHaveLength(1);
  });

  it('is on record with the options of the job', async () => {
    const [app] = await startFleet(1, parts());
    await claimAndDie('runs anyway', true);
    await clock.until(fire(app!, 'runs anyway'));
    await clock.advance(TTL + 250);
    const { records } = await node.look(new JobKeys('JOB_LOCKER', 'runs anyway'), 1);
    expect(decodeRecord(records[0] ?? '')?.trigger).toBe('recover');
    expect(decodeRecord(records[0] ?? '')?.schedule).toMatch(/ unguarded$/);
  });

  it('is waited for by eight of the losers', async () => {
    const apps = await startFleet(10, parts());
    // By then, each of them has looked for ticks whose instance died earlier.
    for (const app of apps) await app.get(Lifecycle).prepared;
    await claimAndDie('recovers', true);
    await fireAll(apps, 'recovers');
    const claims = vi.spyOn(node, 'claim');
    await clock.advance(TTL + 250);
    expect(claims).toHaveBeenCalledTimes(8);
  });

  it('is run again when the job is resumed, if it was paused meanwhile, and not before', async () => {
    const apps = await startFleet(2, parts());
    const [redlock] = apps.map((app) => app.get(RedlockService));
    await claimAndDie('recovers', true);
    await fireAll(apps, 'recovers');
    await clock.until(redlock!.pause('recovers'));
    await clock.advance(10 * TTL);
    expect(starts).toEqual([]);
    await clock.until(redlock!.resume('recovers'));
    await clock.advance(TTL + 500);
    expect(ticks).toEqual([newYear()]);
    await clock.advance(10 * TTL);
    expect(starts).toHaveLength(1);
  });

  it('is run again after an outage in which its lease ended, by one instance', async () => {
    const apps = await startFleet(3, parts());
    await claimAndDie('recovers', true);
    await fireAll(apps, 'recovers');
    const down = vi.spyOn(node, 'claim').mockRejectedValue(new Error('down'));
    await clock.advance(TTL + 3000);
    expect(down).toHaveBeenCalled();
    down.mockRestore();
    await clock.advance(2 * TTL);
    expect(ticks).toEqual([newYear()]);
    await clock.advance(10 * TTL);
    expect(starts).toHaveLength(1);
  });

  it('is run again by an instance that starts in an outage, in which the lease ended', async () => {
    await claimAndDie('recovers', true);
    const claims = vi.spyOn(node, 'claim');
    await start(parts());
    await clock.idle();
    expect(claims).toHaveBeenCalled();
    claims.mockRejectedValue(new Error('down'));
    await clock.advance(TTL + 3000);
    expect(starts).toEqual([]);
    claims.mockRestore();
    await clock.advance(2 * TTL);
    expect(ticks).toEqual([newYear()]);
  });

  it('is run again when the nodes that know of it can vote again, by an instance that starts before', async () => {
    const nodes = Array.from({ length: 3 }, () => new MemoryNode(clock.now));
    const [first, , third] = nodes as [MemoryNode, MemoryNode, MemoryNode];
    // The second node was down when the tick was begun, and has lost its data.
    for (const each of [first, third]) {
      node = each;
      await claimAndDie('recovers', true);
    }
    await clock.advance(2 * TTL);
    const down = vi.spyOn(third, 'claim').mockRejectedValue(new Error('down'));
    const app = await start({ ...parts(), redlock: { nodes } });
    await app.get(Lifecycle).prepared;
    await clock.idle();
    expect(down).toHaveBeenCalled();
    await clock.advance(20_000);
    expect(starts).toEqual([]);
    down.mockRestore();
    await clock.advance(TTL);
    expect(ticks).toEqual([newYear()]);
  });

  it('is run again after an outage and another run that its lease ended in', async () => {
    const apps = await startFleet(2, parts());
    await claimAndDie('recovers', true);
    await fireAll(apps, 'recovers');
    const down = vi.spyOn(node, 'claim').mockRejectedValue(new Error('down'));
    await clock.advance(2 * TTL);
    down.mockRestore();
    const plain = { lock: new JobKeys('JOB_LOCKER', 'recovers').lock };
    expect(await node.claim(plain, 'a plain call', 5 * TTL)).toEqual({ kind: 'granted' });
    await clock.advance(4 * TTL);
    expect(starts).toEqual([]);
    await clock.advance(4 * TTL);
    expect(ticks).toEqual([newYear()]);
  });

  it('is not run again after an outage if it was settled before, and the node has lost its data', async () => {
    const apps = await startFleet(2, parts());
    await claimAndDie('recovers', true);
    await fireAll(apps, 'recovers');
    const keys = new JobKeys('JOB_LOCKER', 'recovers');
    const tick = { key: keys.tick(TICK), last: keys.last, at: TICK, keep: 60_000, recover: true };
    await node.settle({ lock: keys.lock, tick }, 'an instance that dies');
    const claims = vi.spyOn(node, 'claim').mockRejectedValue(new Error('down'));
    await clock.advance(TTL + 3000);
    const empty = new MemoryNode(clock.now);
    claims.mockImplementation((...what) => empty.claim(...what));
    await clock.advance(10 * TTL);
    expect(starts).toEqual([]);
  });

  it('is looked for once per lease while its job is paused, however long that is, and however it was found', async () => {
    await claimAndDie('recovers', true);
    const claims = vi.spyOn(node, 'claim');
    const app = await start(parts());
    await clock.idle();
    expect(claims).toHaveBeenCalled();
    await fireAll([app], 'recovers');
    await clock.until(app.get(RedlockService).pause('recovers'));
    await clock.advance(20 * TTL);
    claims.mockClear();
    await clock.advance(10 * TTL);
    expect(claims.mock.calls.length).toBeGreaterThan(5);
    expect(claims.mock.calls.length).toBeLessThanOrEqual(10);
  });

  it('is not run again by an instance that found the job paused when the tick was due', async () => {
    const apps = await startFleet(2, parts());
    const [redlock] = apps.map((app) => app.get(RedlockService));
    await clock.until(redlock!.pause('recovers'));
    await fireAll(apps, 'recovers');
    await clock.until(redlock!.resume('recovers'));
    await clock.advance(10 * TTL);
    expect(starts).toEqual([]);
  });

  it('is not run again without recover, and a plain call is free after the ttl', async () => {
    const app = await start(parts());
    await claimAndDie('does not', false);
    await fireAll([app], 'does not');
    await clock.until(app.get(Jobs).doesNot());
    expect(starts).toEqual([]);
    await clock.advance(TTL);
    await fireAll([app], 'does not');
    expect(starts).toEqual([]);
    await clock.until(app.get(Jobs).doesNot());
    expect(starts).toHaveLength(1);
  });

  it('is run again by an instance that starts later, when the lease has ended', async () => {
    await claimAndDie('recovers', true);
    const claims = vi.spyOn(node, 'claim');
    await start(parts());
    await clock.idle();
    expect(claims).toHaveBeenCalled();
    await clock.advance(TTL - 1);
    expect(starts).toEqual([]);
    await clock.advance(251);
    expect(starts).toHaveLength(1);
  });
});

it('a search for ticks that fails, at the start or later, is logged', async () => {
  const logger = new RecordingLogger();
  const resume = vi.spyOn(JobRunner.prototype, 'runUncalled').mockImplementation(({ name }) => {
    if (name === 'recovers' && resume.mock.calls.length < 3) return Promise.resolve('unknown');
    return Promise.reject(new Error('no ticks'));
  });
  onTestFinished(() => resume.mockRestore());
  await start({ ...parts(), logger });
  await clock.advance(TTL);
  const lines = ['runs anyway', 'recovers'].map((name) =>
    expect.stringContaining(`Looking for ticks of "${name}" to take over failed: Error: no ticks`),
  );
  expect(logger.at('error')).toEqual(lines);
});

describe('a tick that is in progress', () => {
  it('is not taken over, however long its run takes', async () => {
    work = 20 * TTL;
    const apps = await startFleet(2, parts());
    const firings = Promise.all(apps.map((app) => fire(app, 'recovers')));
    await clock.until(firings);
    expect(clock.elapsed()).toBe(work);
    await clock.advance(10 * TTL);
    expect(starts).toEqual([0]);
  });
});
