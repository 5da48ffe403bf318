import { Injectable } from '@nestjs/common';
import { Cron, Interval } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { fire as inFiring, IntervalFiring } from '../../src/schedule/firing.js';
import { Heartbeat } from '../../src/services/heartbeat.service.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';
import { Gate } from './gate.js';

const MINUTE = 60_000;

let gate: Gate;

@Injectable()
class Jobs {
  @Cron('0 * * * * *', byHand('cron'))
  @Exclusive('cron')
  async cron(): Promise<void> {}

  @Cron('0 * * * * *', byHand('overlapping'))
  @Exclusive('overlapping', { overlap: 'allow' })
  async overlapping(): Promise<void> {
    await gate.until;
  }

  @Cron('0 * * * * *', byHand('unrecorded'))
  @Exclusive('unrecorded', { history: 0 })
  async unrecorded(): Promise<void> {}

  @Cron('0 * * * * *', byHand('rare'))
  @Exclusive('rare', { every: '10m' })
  async rare(): Promise<void> {}

  @Interval(MINUTE)
  @Exclusive('interval')
  async interval(): Promise<void> {}
}

let clock: ManualClock;
let node: MemoryNode;
let apps: TestingModule[];
/** What was reported. */
let reports: string[];
beforeEach(async () => {
  clock = new ManualClock();
  node = new MemoryNode(clock.now);
  gate = new Gate();
  reports = [];
  apps = [];
  await startOne();
  await startOne();
});

async function startOne(): Promise<void> {
  const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
  await app.get(Lifecycle).prepared;
  app.get(Heartbeat).beatByHand();
  app.get(RedlockService).on('overdue', ({ name, expected }) => {
    reports.push(`${name} ${expected.toISOString().slice(11, 16)}`);
  });
  apps.push(app);
}

/** Lets time pass, after which each instance checks once. Resolves to what was reported of a job until then. */
async function checkAfter(minutes: number, job: string): Promise<string[]> {
  await clock.advance(minutes * MINUTE);
  await clock.until(Promise.all(apps.map((app) => app.get(Heartbeat).beatAndLook())));
  return reports.filter((report) => report.startsWith(job));
}

/** Each instance calls a job, with timers some seconds apart if it is the interval. */
async function fireAll(job: string): Promise<void> {
  for (const app of apps) {
    if (job === 'interval') {
      const firing = new IntervalFiring(MINUTE, clock.now(), clock);
      await clock.until(inFiring(firing, () => app.get(Jobs).interval()));
      await clock.advance(7000);
    } else {
      await clock.until(fire(app, job));
    }
  }
}

describe.each(['cron', 'interval'])('a silence of a job (%s) is reported once more', (job) => {
  beforeEach(async () => {
    await fireAll(job);
    await checkAfter(10, job);
  });

  it('after a run', async () => {
    expect(reports.filter((report) => report.startsWith(job))).toHaveLength(1);
    await fireAll(job);
    expect(await checkAfter(10, job)).toHaveLength(2);
  });

  it('after a pause that was ended, on all instances that are up by then', async () => {
    const [app] = apps;
    await clock.until(app!.get(RedlockService).pause(job));
    await checkAfter(60, job);
    await clock.until(app!.get(RedlockService).resume(job));
    await startOne();
    expect(await checkAfter(10, job)).toHaveLength(2);
    expect(await checkAfter(10, job)).toHaveLength(2);
  });

  it('after a pause that has ended by itself', async () => {
    await clock.until(apps[0]!.get(RedlockService).pause(job, { for: '1h' }));
    expect(await checkAfter(70, job)).toHaveLength(2);
  });
});

describe('a silence is reported once more after a run that is not on record', () => {
  it('because it has not ended, and may overlap with others', async () => {
    await fireAll('overlapping');
    expect(await checkAfter(10, 'overlapping')).toHaveLength(1);
    gate.close();
    const run = fire(apps[0]!, 'overlapping');
    await clock.idle();
    await clock.until(fire(apps[1]!, 'overlapping'));
    expect(await checkAfter(10, 'overlapping')).toHaveLength(2);
    gate.open();
    await clock.until(run);
  });

  it('because it died, and the job has no history', async () => {
    await fireAll('unrecorded');
    expect(await checkAfter(10, 'unrecorded')).toHaveLength(1);
    const now = clock.now();
    const tick = now - (now % MINUTE);
    const run = describeRun({ runId: 'run', trigger: 'schedule', calledAt: now, tick });
    await node.claim(claimOf('unrecorded', tick), tokensOf('dead')(run), 3 * MINUTE);
    await fireAll('unrecorded');
    expect(await checkAfter(1, 'unrecorded')).toHaveLength(1);
    expect(await checkAfter(15, 'unrecorded')).toHaveLength(2);
  });
});

it('a silence is reported once, also by an instance that was not up at the ticks that `every` left out', async () => {
  await fireAll('rare');
  for (let minute = 0; minute < 5; minute++) {
    await clock.advance(MINUTE);
    await fireAll('rare');
  }
  await startOne();
  expect(await checkAfter(60, 'rare')).toHaveLength(1);
});
