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
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';

const TTL = 2000;
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

it('a takeover is no part of a run in which its tick was lost', async () => {
  const app = await startOne();
  const { redlock, registry } = app.get(Jobs);
  const job = registry.getCronJob('refresh');
  await claimAndDie('late');
  const late = async (): Promise<unknown> => runs.push(JSON.stringify(await redlock.run('outer', () => {})));
  const outer = redlock.run('outer', async () => {
    await redlock.run('late', late, { job, recover: true, ttl: TTL });
    await sleep(clock, 2 * TTL);
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
