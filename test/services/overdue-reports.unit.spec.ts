import { Injectable, type Type } from '@nestjs/common';
import { Cron, Interval } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { Exclusive, MemoryNode, NodeUnreachableError, RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { fire as inFiring, IntervalFiring } from '../../src/schedule/firing.js';
import { Heartbeat } from '../../src/services/heartbeat.service.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { fire, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { Gate } from './gate.js';

const MINUTE = 60_000;

type ClaimArguments = Parameters<MemoryNode['claim']>;
type LookArguments = Parameters<MemoryNode['look']>;

/** A node that can be too slow to answer claims, although it answers everything else, or down. */
class FaultyNode extends MemoryNode {
  isSlow = false;
  isDown = false;
  isRegisterRefused = false;
  claims = 0;

  override claim(...args: ClaimArguments): ReturnType<MemoryNode['claim']> {
    this.claims++;
    if (this.isDown) return Promise.reject(new Error('down'));
    if (!this.isSlow) return super.claim(...args);
    return Promise.reject(new NodeUnreachableError('memory', 'is slow', 'slow'));
  }

  override register(...args: Parameters<MemoryNode['register']>): ReturnType<MemoryNode['register']> {
    if (!this.isRegisterRefused) return super.register(...args);
    return Promise.reject(new NodeUnreachableError('memory', 'NOPERM', 'command'));
  }

  override look(...args: LookArguments): ReturnType<MemoryNode['look']> {
    return this.isDown ? Promise.reject(new Error('down')) : super.look(...args);
  }
}

const WAITING = { timeZone: 'UTC', waitForCompletion: true };

@Injectable()
class Minutely {
  @Interval(MINUTE)
  @Exclusive('minute')
  minute(): void {}
}

@Injectable()
class Jobs {
  @Cron('0 * * * * *', { ...WAITING, name: 'report' })
  @Exclusive('report')
  async report(): Promise<void> {
    await gate.until;
  }

  @Cron('0 30,31 9 * * *', { ...WAITING, name: 'twice a day' })
  @Exclusive('twice a day', { overdueAfter: '5m' })
  twiceADay(): void {}
}

class Tenant {
  constructor(readonly name: string) {}

  @Interval(MINUTE)
  @Exclusive(function (this: Tenant) {
    return this.name;
  })
  run(): void {}
}

let clock: ManualClock;
let node: FaultyNode;
let gate: Gate;
let apps: TestingModule[];
/** What was reported. */
let reports: string[];
beforeEach(async () => {
  clock = new ManualClock();
  node = new FaultyNode(clock.now);
  gate = new Gate();
  reports = [];
  apps = [];
  await startOne();
  await startOne();
});

async function startOne(provider: Type = Jobs): Promise<void> {
  const app = await start({ redlock: { nodes: node }, providers: [provider], clock });
  await app.get(Lifecycle).prepared;
  app.get(Heartbeat).beatByHand();
  app.get(RedlockService).on('overdue', ({ name, expected }) => {
    reports.push(`${name} ${expected.toISOString().slice(11, 16)}`);
  });
  apps.push(app);
}

/** Each instance checks once. */
const check = (): Promise<unknown> =>
  clock.until(Promise.all(apps.map((app) => app.get(Heartbeat).beatAndLook())));

async function checkAfter(minutes: number): Promise<string[]> {
  await clock.advance(minutes * MINUTE);
  await check();
  return reports.filter((report) => report.startsWith('report'));
}

async function fireAll(job: string): Promise<void> {
  for (const app of apps) await clock.until(fire(app, job));
}

describe('a silence, while the nodes are too slow to tell which instance is the first to notice it,', () => {
  it('is reported by none, and once when they can tell again', async () => {
    node.isSlow = true;
    await checkAfter(10);
    expect(await checkAfter(0)).toEqual([]);
    const health = await apps[0]!.get(RedlockService).health();
    expect(health.overdue).toContainEqual(expect.objectContaining({ name: 'report' }));
    node.isSlow = false;
    expect(await checkAfter(0)).toHaveLength(1);
    const { claims } = node;
    expect(await checkAfter(0)).toHaveLength(1);
    expect(node.claims).toBe(claims);
  });
});

describe('in an outage, a job', () => {
  let redlock: RedlockService;
  beforeEach(() => void (redlock = apps[0]!.get(RedlockService)));
  const pause = (duration?: '20m') => clock.until(redlock.pause('report', { for: duration }));

  it('that has not run is reported by each instance', async () => {
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(10)).toEqual(['report 09:31', 'report 09:31']);
  });

  it.each([
    ['', false],
    [', also to a user who may not write the register', true],
  ])('of many is reported, and the log names the first twenty%s', async (_to, isRefused) => {
    node.isRegisterRefused = isRefused;
    const logger = new RecordingLogger();
    const events: string[] = [];
    const names = Array.from({ length: 30 }, (_one, index) => `job-${index}`);
    const tenants = names.map((name) => ({ provide: name, useFactory: () => new Tenant(name) }));
    const app = await start({ redlock: { nodes: node }, providers: tenants, clock, logger });
    await app.get(Lifecycle).prepared;
    app.get(RedlockService).on('overdue', ({ name }) => void events.push(name));
    app.get(Heartbeat).beatByHand();
    apps = [app];
    node.isDown = true;
    await checkAfter(10);
    await checkAfter(1);
    expect(events).toEqual(names);
    const lines = logger.at('warn').filter((line) => line.includes('overdue'));
    expect(lines).toHaveLength(21);
    expect(lines[20]).toContain('More jobs are overdue: health() lists all of them');
    node.isDown = false;
    for (const name of names) {
      const firing = new IntervalFiring(MINUTE, clock.now(), clock);
      await clock.until(inFiring(firing, async () => app.get<Tenant>(name).run()));
    }
    await checkAfter(0);
    node.isDown = true;
    await checkAfter(10);
    expect(events).toHaveLength(60);
    expect(logger.at('warn').filter((line) => line.includes('overdue'))).toHaveLength(42);
  });

  it('that is paused, as the nodes have said, is not overdue', async () => {
    await fireAll('report');
    await pause();
    await checkAfter(10);
    node.isDown = true;
    expect(await checkAfter(60)).toEqual([]);
  });

  it('that is paused, as a skip has told, is not overdue', async () => {
    await fireAll('report');
    await pause();
    await clock.advance(MINUTE);
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(60)).toEqual([]);
  });

  it('is due after the end of its pause', async () => {
    await pause('20m');
    await checkAfter(10);
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(14)).toEqual([]);
    expect(await checkAfter(3)).toEqual(['report 09:51', 'report 09:51']);
  });

  it('that has run since it was paused is reported', async () => {
    await pause();
    await checkAfter(10);
    await clock.until(redlock.resume('report'));
    await clock.advance(MINUTE);
    await fireAll('report');
    node.isDown = true;
    expect(await checkAfter(10)).toEqual(['report 09:42', 'report 09:42']);
  });

  it('is due after it was last skipped because of a run in progress', async () => {
    gate.close();
    const running = fire(apps[0]!, 'report');
    await clock.advance(3 * MINUTE);
    await clock.until(fire(apps[1]!, 'report'));
    node.isDown = true;
    expect(await checkAfter(5)).toEqual([]);
    // Not by the instance that runs it.
    expect(await checkAfter(5)).toEqual(['report 09:34']);
    gate.open();
    await clock.until(running);
    await checkAfter(1);
    expect(reports).not.toContain('report 09:31');
  });

  it('is due after a run was last seen in progress', async () => {
    gate.close();
    const run = fire(apps[0]!, 'report');
    await checkAfter(10);
    node.isDown = true;
    expect(await checkAfter(1)).toEqual([]);
    // The other instance runs it.
    expect(await checkAfter(6)).toEqual(['report 09:41']);
    gate.open();
    await run;
  });
});

it.each([0, 7000])('the silence of an interval is reported once, by timers %i ms apart', async (gap) => {
  apps = [];
  for (let instances = 1; instances <= 3; instances++) await startOne(Minutely);
  for (const app of apps) {
    const firing = new IntervalFiring(MINUTE, clock.now(), clock);
    await clock.until(inFiring(firing, async () => app.get(Minutely).minute()));
    await clock.advance(gap);
  }
  await checkAfter(10);
  expect(reports).toEqual(['minute 09:31']);
});

describe('a tick whose run died', () => {
  const name = 'twice a day';
  const next = new Date('2031-05-08T09:30:00Z');

  /** Claims a tick as an instance does that dies at once, and so never renews its lease. */
  async function claimAndDie(tick: number, ttl: number, job = name): Promise<void> {
    const keys = new JobKeys('JOB_LOCKER', job);
    const token = tokensOf('dead')(describeRun({ runId: 'run', trigger: 'schedule', calledAt: tick, tick }));
    const history = { records: keys.records, begun: keys.begun, limit: 50, keep: 1e9 };
    const claimed = { key: keys.tick(tick), last: keys.last, at: tick, keep: 60_000, recover: false };
    const vote = await node.claim({ lock: keys.lock, tick: claimed, history }, token, ttl);
    expect(vote).toMatchObject({ kind: 'granted' });
  }

  it('is overdue for no instance, whether it lost that tick or started later', async () => {
    await fireAll(name);
    await clock.advance(MINUTE);
    const tick = clock.now();
    await claimAndDie(tick, 2000);
    await clock.until(fire(apps[0]!, name));
    await clock.advance(MINUTE);
    await startOne();
    await checkAfter(10);
    for (const app of apps) {
      const { overdue } = await app.get(RedlockService).health();
      expect(overdue).not.toContainEqual(expect.objectContaining({ name }));
      expect(await app.get(RedlockService).status(name)).toMatchObject({
        lastTick: new Date(tick - MINUTE),
        lastOutcome: 'died',
        nextTick: next,
        overdueBy: null,
      });
    }
    // The next tick, which none has begun, is overdue for all.
    await checkAfter(24 * 60);
    expect(reports.filter((report) => report.startsWith(name))).toEqual([`${name} 09:30`]);
    for (const app of apps) {
      const { overdueBy } = await app.get(RedlockService).status(name);
      const { overdue } = await app.get(RedlockService).health();
      expect(overdue).toContainEqual({ name, by: overdueBy });
    }
  });

  it('is followed by one silence, though one instance saw that run in progress for longer', async () => {
    await clock.advance(MINUTE);
    await claimAndDie(clock.now() - (clock.now() % MINUTE), 9 * MINUTE, 'report');
    for (const app of apps) {
      await clock.advance(7 * MINUTE - apps.indexOf(app) * 6 * MINUTE);
      await clock.until(app.get(Heartbeat).beatAndLook());
    }
    expect(await checkAfter(10)).toHaveLength(1);
  });

  it('is not the next one, by a clock that lags', async () => {
    await clock.advance(MINUTE - 400);
    await claimAndDie(clock.now() + 400, 100);
    await clock.advance(200);
    expect(await apps[0]!.get(RedlockService).status(name)).toMatchObject({ running: null, nextTick: next });
  });
});
