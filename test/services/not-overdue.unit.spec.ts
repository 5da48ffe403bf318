import { Injectable, Module, type Type } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { CronJob } from 'cron';
import { describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import type { NodeReport } from '../../src/nodes/lock-node.js';
import { CLOCK } from '../../src/redlock.module-definition.js';
import { CronFiring, fire } from '../../src/schedule/firing.js';
import { KnownJobs } from '../../src/services/known-jobs.service.js';
import { SchedulerFirings } from '../../src/services/scheduler-firings.service.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';
import { Gate } from './gate.js';

const UTC = { timeZone: 'UTC' };
const at = (time: string): Date => new Date(`2031-05-07T${time}Z`);

function moduleOf(...providers: Type[]): Type {
  @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers })
  class AppModule {}
  return AppModule;
}

/** One instance, and what it tells about overdue jobs. */
async function startOne(jobs: Type, now = at('09:30:05'), nodes?: MemoryNode) {
  const fleet = await TestFleet.create(moduleOf(jobs), { instances: 1, now, nodes });
  closeAfterTest(fleet);
  const app = fleet.instances[0]!;
  const redlock = app.get(RedlockService);
  const events: string[] = [];
  redlock.on('overdue', ({ name }) => events.push(name));
  const pass = async (minutes: number): Promise<void> => {
    for (let each = 0; each < minutes; each++) await fleet.advance('1m');
  };
  const overdue = async (): Promise<string[]> => (await redlock.health()).overdue.map(({ name }) => name);
  return { fleet, app, redlock, events, pass, overdue };
}

describe('a job whose runs may overlap is not overdue', () => {
  it('while all its ticks run, each for longer than three periods', async () => {
    const gate = new Gate();
    @Injectable()
    class Jobs {
      @Cron('0 0 * * * *', UTC)
      @Exclusive('hourly', { overlap: 'allow' })
      async hourly(): Promise<void> {
        await gate.until;
      }
    }
    let now = at('09:30:05').getTime();
    const node = new MemoryNode(() => now);
    const old = await startOne(Jobs, new Date(now), node);
    const runs: Promise<unknown>[] = [];
    for (const hour of [10, 11, 12, 13, 14]) {
      if (hour > 10) gate.close();
      now = at(`${hour}:00:00`).getTime();
      const run = old.fleet.fire('hourly', new Date(now));
      if (hour === 10) await run;
      else runs.push(run);
    }
    now = at('14:10:00').getTime();
    const young = await startOne(Jobs, new Date(now), node);
    now += 6 * 60_000;
    await old.fleet.advance('16m');
    await young.fleet.advance('6m');
    for (const { redlock, events, overdue } of [old, young]) {
      expect(await redlock.status('hourly')).toMatchObject({ lastTick: at('10:00:00'), overdueBy: null });
      expect(await overdue()).toEqual([]);
      expect(events).toEqual([]);
    }
    // Silence is still noticed.
    now = at('18:10:00').getTime();
    await young.fleet.advance(now - young.fleet.now.getTime());
    expect(young.events).toEqual(['hourly']);
    gate.open();
    await Promise.all(runs);
  });
});

@Injectable()
class Stoppable {
  @Cron('0 * * * * *', { ...UTC, name: 'cron' }) @Exclusive('cron') async cron(): Promise<void> {}
  @Cron('30 * * * * *', UTC) @Exclusive('unnamed') async unnamed(): Promise<void> {}
  @Interval('interval', 60_000) @Exclusive('interval') async interval(): Promise<void> {}
}

describe('a job that was stopped through the registry is not overdue', () => {
  it('before its first firing, and is not due', async () => {
    const { app, redlock, events, pass, overdue } = await startOne(Stoppable);
    const registry = app.get(SchedulerRegistry);
    await pass(10);
    expect(events).toEqual(['cron', 'unnamed', 'interval']);
    expect(await overdue()).toEqual(events);
    expect((await redlock.status('cron')).overdueBy).not.toBeNull();
    for (const job of registry.getCronJobs().values()) void job.stop();
    registry.deleteInterval('interval');
    await pass(10);
    expect(await overdue()).toEqual([]);
    expect(events).toHaveLength(3);
    for (const name of ['cron', 'unnamed', 'interval']) {
      expect(await redlock.status(name)).toMatchObject({ nextTick: null, overdueBy: null });
      expect(redlock.preview(name)).toEqual([]);
    }
  });

  it('and when it is started again, its ticks count from then on', async () => {
    const { app, fleet, redlock, events, pass } = await startOne(Stoppable);
    const job = app.get(SchedulerRegistry).getCronJob('cron');
    await fleet.fire('cron', at('09:31:00'));
    void job.stop();
    await pass(60);
    job.start();
    await pass(2);
    expect((await redlock.status('cron')).overdueBy).toBe(60_000);
    await pass(3);
    expect(events).not.toContain('cron');
    await pass(3);
    expect(events).toContain('cron');
  });

  it('nor one that follows another schedule by now', async () => {
    const { app, events, overdue, pass } = await startOne(Stoppable);
    app.get(SchedulerRegistry).getCronJob('cron').cronTime = new CronJob('0 0 * * * *', () => {}).cronTime;
    await pass(10);
    expect(await overdue()).not.toContain('cron');
    expect(events).not.toContain('cron');
  });

  it('nor one that was passed to run() with its cron job', async () => {
    const { events, fleet, pass, redlock } = await startOne(Stoppable);
    const job = CronJob.from({ cronTime: '0 * * * * *', onTick: () => {}, start: true, timeZone: 'UTC' });
    const run = (name: string) => redlock.run(name, () => 1, { job });
    await fleet.advance('1m');
    await run('passed');
    await pass(7);
    expect(events).toContain('passed');
    expect(await run('passed')).toMatchObject({ ran: true });
    void job.stop();
    await pass(10);
    expect(events.filter((name) => name === 'passed')).toHaveLength(1);
  });
});

it('a job is as overdue as before if it is resumed, but was not paused', async () => {
  const { fleet, pass, redlock } = await startOne(Stoppable);
  await fleet.fire('cron', at('09:31:00'));
  await pass(10);
  await redlock.resume('cron');
  expect((await redlock.status('cron')).overdueBy).toBe(9 * 60_000);
});

it('an interval is due one interval after its last run, whatever is called by hand meanwhile', async () => {
  const { app, fleet, pass, redlock } = await startOne(Stoppable);
  await fleet.fire('interval', at('09:31:00'));
  for (let each = 0; each < 3; each++) {
    await pass(1);
    await redlock.trigger('interval');
    await app.get(Stoppable).interval();
    const nextTick = fleet.now < at('09:32:00') ? at('09:32:00') : fleet.now;
    expect(await redlock.status('interval')).toMatchObject({ nextTick });
  }
  expect((await redlock.status('interval')).overdueBy).toBe(2 * 60_000);
});

it('every call of an interval counts if those of the scheduler cannot be told from others', async () => {
  const { app, pass, redlock } = await startOne(Stoppable);
  vi.spyOn(app.get(SchedulerFirings), 'recognizesIntervals', 'get').mockReturnValue(false);
  await pass(1);
  await app.get(Stoppable).interval();
  expect(await redlock.history('interval')).toMatchObject([{ trigger: 'schedule' }]);
  await redlock.pause('interval');
  await pass(1);
  await app.get(Stoppable).interval();
  expect(await redlock.history('interval')).toHaveLength(1);
});

it('a job with `every` that nothing schedules is not overdue', async () => {
  @Injectable()
  class Jobs {
    @Exclusive('on demand', { every: '1m' }) async onDemand(): Promise<void> {}
  }
  const { app, events, pass, redlock } = await startOne(Jobs);
  await app.get(Jobs).onDemand();
  await pass(10);
  expect(events).toEqual([]);
  expect(await redlock.status('on demand')).toMatchObject({ nextTick: null, overdueBy: null });
});

const failing = new Set<string>();

@Injectable()
class Jobs {
  @Exclusive((tenant: string) => `report:${tenant}`)
  async report(tenant: string): Promise<void> {
    if (failing.has(tenant)) throw new Error(tenant);
  }

  @Exclusive('first') async first(): Promise<void> {}
  @Exclusive('second') async second(): Promise<void> {}
}

/** A cron job that calls a job for each tenant, by default a decorated method. */
async function startTenants(
  call = (app: TestingModule, tenant: string): Promise<unknown> => app.get(Jobs).report(tenant),
) {
  const tenants = ['acme', 'beta', 'gamma'];
  failing.clear();
  const one = await startOne(Jobs);
  const clock = one.app.get<Clock>(CLOCK);
  const cron = CronJob.from({ cronTime: '0 * * * * *', onTick: () => {}, start: false, timeZone: 'UTC' });
  Reflect.defineProperty(cron, 'isActive', { value: true });
  const ticks = one.app.get(SchedulerFirings).ticks.of(cron.cronTime);
  const loop = async (): Promise<void> => {
    for (const tenant of tenants) await call(one.app, tenant);
  };
  const firings = async (minutes: number): Promise<void> => {
    for (let each = 0; each < minutes; each++) {
      await one.fleet.advance('1m');
      await fire(new CronFiring(cron, ticks, clock.now(), clock), loop).catch(() => {});
    }
  };
  await firings(2);
  return { ...one, tenants, firings };
}

describe('the job of a tenant', () => {
  it('is not overdue when the tenant has left, and is when the tenant has come back', async () => {
    const { tenants, events, overdue, pass, firings, redlock } = await startTenants();
    tenants.shift();
    await firings(10);
    expect(events).toEqual([]);
    expect((await redlock.status('report:acme')).overdueBy).toBeNull();
    tenants.push('acme');
    await firings(2);
    await pass(4);
    expect(events).toEqual([]);
    await pass(4);
    expect(events.toSorted()).toEqual(['report:acme', 'report:beta', 'report:gamma']);
    tenants.pop();
    await firings(2);
    expect(await overdue()).toEqual([]);
  });

  it('is overdue if its cron job no longer fires, or calls none at all', async () => {
    const { tenants, events, firings } = await startTenants();
    tenants.splice(0);
    await firings(8);
    expect(events).toEqual(['report:acme', 'report:beta', 'report:gamma']);
  });

  it('is not overdue when the tenant has left, if run() calls it', async () => {
    const { tenants, events, firings } = await startTenants((app, tenant) =>
      app.get(RedlockService).run(tenant, () => 1),
    );
    tenants.pop();
    await firings(10);
    expect(events).toEqual([]);
  });

  it('is overdue if its cron job calls only other jobs, as on an instance that loses the run around it', async () => {
    const { tenants, events, firings } = await startTenants((app, tenant) =>
      tenant === 'first' ? app.get(Jobs).first() : app.get(Jobs).report(tenant),
    );
    tenants.splice(0, 3, 'first');
    await firings(8);
    expect(events).toEqual(['report:acme', 'report:beta', 'report:gamma']);
  });

  it('is overdue if the job of another one fails each time, which ends the loop', async () => {
    const { events, firings } = await startTenants();
    failing.add('beta');
    await firings(8);
    expect(events).toEqual(['report:gamma']);
  });

  it('is no longer listed as overdue once it is forgotten', async () => {
    const { app, fleet, overdue, pass } = await startTenants();
    await pass(8);
    expect(await overdue()).toContain('report:acme');
    const jobs = app.get(KnownJobs);
    const { schedule, options } = jobs.get('report:acme')!;
    for (let each = 0; each < 10_000; each++) jobs.add({ name: `${each}`, options }, schedule);
    await fleet.advance('1s');
    expect(await overdue()).toEqual([]);
  });
});

it('a job with a name of its own is overdue if its cron job no longer calls it, but others', async () => {
  const { tenants, events, firings } = await startTenants((app, name) =>
    name === 'second' ? app.get(Jobs).second() : app.get(Jobs).first(),
  );
  tenants.splice(0, 3, 'second');
  await firings(1);
  tenants.splice(0, 1, 'first');
  await firings(8);
  expect(events).toEqual(['second']);
});

it('a job is not overdue to an instance whose clock is ahead of that of the nodes', async () => {
  @Injectable()
  class OftenJobs {
    @Cron('*/10 * * * * *', UTC)
    @Exclusive('report', { overdueAfter: '20s' })
    report(): void {}
  }
  class NodeBehind extends MemoryNode {
    override async open(): Promise<NodeReport> {
      return { ...(await super.open()), clockOffset: -28_000 };
    }
  }
  let now = at('09:30:05').getTime();
  const { fleet, redlock, overdue } = await startOne(OftenJobs, new Date(now), new NodeBehind(() => now));
  now = at('09:30:10').getTime();
  await fleet.fire('report', new Date(now));
  await fleet.advance('35s');
  expect((await redlock.status('report')).overdueBy).toBeNull();
  expect(await overdue()).toEqual([]);
  await fleet.advance('25s');
  expect((await redlock.status('report')).overdueBy).toBe(22_000);
  expect((await redlock.health()).overdue).toEqual([{ name: 'report', by: 22_000 }]);
});
