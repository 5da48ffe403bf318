import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { JobCallers } from '../../src/services/job-callers.service.js';
import { KnownJobs } from '../../src/services/known-jobs.service.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';

const TTL = 2000;
const INNER_TTL = 30_000;
const HOUR = 3_600_000;
const TICK = newYear().getTime();

const tenant = new AsyncLocalStorage<string>();

let clock: ManualClock;
let node: MemoryNode;
let runs: string[];
beforeEach(() => {
  clock = new ManualClock(TICK);
  node = new MemoryNode(clock.now);
  runs = [];
});

@Injectable()
class Jobs {
  constructor(
    readonly redlock: RedlockService,
    readonly registry: SchedulerRegistry,
  ) {
    redlock.on('skipped', ({ name, reason }) => runs.push(`${name} skipped as ${reason}`));
  }

  @Cron(ONCE_A_YEAR, byHand('refresh'))
  @Exclusive('refresh')
  async refresh(): Promise<void> {
    const { tick, fencingToken } = this.redlock.current()!;
    runs.push(`refresh of ${tick?.toISOString().slice(0, 10)}, token ${fencingToken}`);
  }

  @Cron(ONCE_A_YEAR, byHand('calls another'))
  @Exclusive('calls another', { ttl: TTL, recover: true })
  async callsAnother(): Promise<void> {
    await this.refresh();
  }

  @Cron(ONCE_A_YEAR, byHand('calls two'))
  @Exclusive('calls two', { ttl: TTL, recover: true })
  async callsTwo(): Promise<void> {
    await this.first();
  }

  @Exclusive('first', { ttl: INNER_TTL })
  async first(): Promise<void> {
    runs.push('first');
    await this.second();
  }

  @Exclusive('second', { ttl: INNER_TTL })
  async second(): Promise<void> {
    runs.push('second');
  }

  @Cron(ONCE_A_YEAR, byHand('has no name'))
  async hasNoName(): Promise<void> {
    const job = this.registry.getCronJob('has no name');
    const refresh = (): Promise<unknown> => this.redlock.run('refresh', () => this.noteTenant(), { job });
    await tenant.run('north', () => this.redlock.run('outer', refresh, { job, recover: true, ttl: TTL }));
  }

  @Cron(ONCE_A_YEAR, byHand('tenants'))
  async tenants(): Promise<void> {
    for (const name of ['north', 'south']) {
      await this.redlock.run(name, () => void runs.push(name), { recover: true, ttl: TTL });
    }
  }

  @Cron('0 * * * *', byHand('reports'))
  async reports(): Promise<void> {
    for (const name of ['north', 'south']) await this.report(name);
  }

  @Exclusive((name: string) => `report:${name}`, { recover: true, ttl: TTL })
  async report(name: string): Promise<void> {
    await this.redlock.run(`sync:${name}`, () => void runs.push(name));
  }

  noteTenant(): void {
    runs.push(`refresh for ${tenant.getStore()}`);
  }
}

async function startOne(): Promise<TestingModule> {
  const app = await start({ redlock: { nodes: node }, providers: [Jobs], clock });
  // By now, it has looked for ticks whose instance died earlier.
  await app.get(Lifecycle).prepared;
  await clock.idle();
  return app;
}

/** Claims the tick as an instance does that dies at once, and so never renews its lease. */
const claimAndDie = (name: string, tick = TICK): Promise<unknown> =>
  node.claim(claimOf(name, tick, { recover: true }), 'an instance that dies', TTL);

const lockOf = (name: string): string => new JobKeys('JOB_LOCKER', name).lock;
const claimLock = (name: string, token = 'an instance'): Promise<unknown> =>
  node.claim({ lock: lockOf(name) }, token, INNER_TTL);

/** Takes a tick of the outer job over, and resolves once that has called the others. */
async function takeOver(claimInner: () => Promise<unknown>): Promise<void> {
  const app = await startOne();
  await claimAndDie('calls two');
  await clock.until(fire(app, 'calls two'));
  runs = [];
  await clock.advance(TTL - 100);
  await claimInner();
  await clock.advance(100 + 250);
}

const isLeftOut = (app: TestingModule, name: string): boolean =>
  app.get(JobCallers).isLeftOut(app.get(KnownJobs).get(name)!);

describe('a call in a run that was taken over', () => {
  it('belongs to that run, although its tick was run elsewhere', async () => {
    const app = await startOne();
    await clock.until(fire(app, 'refresh'));
    runs = [];
    await claimAndDie('calls another');
    await clock.until(fire(app, 'calls another'));
    expect(runs).toEqual(['calls another skipped as elsewhere']);
    await clock.advance(TTL + 250);
    expect(runs.slice(1)).toEqual([`refresh of ${newYear().toISOString().slice(0, 10)}, token ${TICK}`]);
  });

  it('belongs to that run if it names the cron job, and has the async context of the call that lost', async () => {
    const app = await startOne();
    await clock.until(fire(app, 'refresh'));
    await claimAndDie('outer');
    await clock.until(fire(app, 'has no name'));
    runs = [];
    await clock.advance(TTL + 250);
    expect(runs).toEqual(['refresh for north']);
  });
});

describe('a job that is called in a run that was taken over,', () => {
  it.each(['first', 'second'])('waits for the lock that the dead run had: %s', async (name) => {
    await takeOver(() => claimLock(name));
    expect(runs).not.toContain('second');
    await clock.advance(INNER_TTL + 1500);
    expect(runs).toEqual(['first', 'second']);
  });

  it('is skipped if the lock is renewed for longer than that', async () => {
    await takeOver(() => claimLock('first'));
    for (let renewal = 0; renewal < 4; renewal++) {
      expect(runs).toEqual([]);
      await clock.advance(INNER_TTL / 3);
      await node.extend({ lock: lockOf('first') }, 'an instance', INNER_TTL);
    }
    expect(runs).toEqual(['first skipped as overlap']);
  });

  it('is skipped at once if an instance that is alive has the lock', async () => {
    await takeOver(() => claimLock('first', 'alive#1'));
    expect(runs).toEqual(['first skipped as overlap']);
  });
});

it('a takeover is no part of a run in which its tick was lost', async () => {
  const app = await startOne();
  const { redlock, registry } = app.get(Jobs);
  const job = registry.getCronJob('refresh');
  await claimAndDie('late');
  const late = async (): Promise<unknown> =>
    runs.push(JSON.stringify(await redlock.run('outer', () => {}, { ttl: TTL })));
  const outer = redlock.run('outer', async () => {
    await redlock.run('late', late, { job, recover: true, ttl: TTL });
    await sleep(clock, 4 * TTL);
  });
  await clock.until(outer);
  expect(runs).toEqual([
    'late skipped as elsewhere',
    'outer skipped as overlap',
    expect.stringContaining('overlap'),
  ]);
});

describe('a takeover is no firing in which the cron job leaves a tenant out', () => {
  it('of the jobs that it calls itself', async () => {
    const app = await startOne();
    await claimAndDie('north');
    await clock.until(fire(app, 'tenants'));
    await clock.advance(TTL + 250);
    expect(runs).toEqual(['north skipped as elsewhere', 'south', 'north']);
    expect(isLeftOut(app, 'south')).toBe(false);
  });

  it('of the jobs that these call', async () => {
    const app = await startOne();
    await claimAndDie('report:north');
    await clock.until(fire(app, 'reports'));
    await clock.advance(TTL + 250);
    expect(runs).toEqual(['report:north skipped as elsewhere', 'south', 'north']);
    expect(isLeftOut(app, 'sync:south')).toBe(false);
  });

  it('and a tenant whose job it calls is not left out', async () => {
    const app = await startOne();
    await clock.until(fire(app, 'reports'));
    await clock.advance(HOUR);
    await claimAndDie('report:north', TICK + HOUR);
    await clock.until(fire(app, 'reports'));
    await clock.advance(TTL + 250);
    expect(runs).toEqual(['north', 'south', 'report:north skipped as elsewhere', 'south', 'north']);
    expect(isLeftOut(app, 'sync:north')).toBe(false);
  });
});
