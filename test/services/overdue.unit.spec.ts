import { Injectable, Module, type Type } from '@nestjs/common';
import { Cron, Interval, ScheduleModule } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, type JobOptions, RedlockModule, RedlockService } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';
import { Gate } from './gate.js';

const at = (time: string): Date => new Date(`2031-05-07T${time}Z`);
const shown = (date: Date): string => date.toISOString().slice(11, 16);

function application(options: JobOptions, gate: Gate): Type {
  @Injectable()
  class Jobs {
    @Cron('0 * * * * *', { timeZone: 'UTC' })
    @Exclusive('report', options)
    async report(): Promise<void> {
      await gate.until;
    }

    @Interval(60_000)
    @Exclusive('minute', options)
    async minute(): Promise<void> {
      await gate.until;
    }
  }
  @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
  class AppModule {}
  return AppModule;
}

async function startFleet(options: JobOptions = {}, instances = 3) {
  const gate = new Gate();
  const fleet = await TestFleet.create(application(options, gate), { instances, now: at('09:30:05') });
  closeAfterTest(fleet);
  const overdue: string[] = [];
  for (const app of fleet.instances) {
    app.get(RedlockService).on('overdue', ({ name, expected, by }) => {
      if (name === 'report') overdue.push(`${name} ${shown(expected)} ${Math.round(by / 1000)}`);
    });
  }
  const redlock = fleet.instances[0]!.get(RedlockService);
  const pass = async (minutes: number): Promise<void> => {
    for (let each = 0; each < minutes; each++) await fleet.advance('1m');
  };
  return { fleet, gate, overdue, redlock, pass };
}

describe('a job is overdue', () => {
  it('five minutes late, once for each silence, on one of several instances', async () => {
    const { fleet, overdue, redlock, pass } = await startFleet();
    await fleet.fire('report', at('09:31:00'));
    await pass(6);
    expect(overdue).toEqual([]);
    expect((await redlock.health()).overdue).not.toContainEqual(expect.objectContaining({ name: 'report' }));
    expect((await redlock.status('report')).overdueBy).toBe(5 * 60_000);
    await pass(10);
    expect(overdue).toEqual(['report 09:32 360']);
    expect((await redlock.health()).overdue).toContainEqual({ name: 'report', by: 15 * 60_000 });
    await fleet.fire('report');
    await pass(1);
    expect((await redlock.health()).overdue).not.toContainEqual(expect.objectContaining({ name: 'report' }));
    await pass(10);
    expect(overdue).toHaveLength(2);
  });

  it('after as long as the option says', async () => {
    const { fleet, overdue, pass } = await startFleet({ overdueAfter: '2m' });
    await fleet.fire('report', at('09:31:00'));
    await pass(3);
    expect(overdue).toEqual([]);
    await pass(1);
    expect(overdue).toEqual(['report 09:32 180']);
  });

  it('if it is new and has not run', async () => {
    const { overdue, pass } = await startFleet();
    await pass(5);
    expect(overdue).toEqual([]);
    await pass(3);
    expect(overdue).toEqual([expect.stringMatching(/^report 09:31 /)]);
  });

  it('not while a run is in progress', async () => {
    const { fleet, gate, overdue, redlock, pass } = await startFleet({ ttl: '1m' });
    gate.close();
    const run = fleet.fire('report', at('09:31:00'));
    await pass(20);
    expect(overdue).toEqual([]);
    expect(await redlock.status('report')).toMatchObject({
      overdueBy: null,
      running: { tick: at('09:31:00'), startedAt: at('09:31:00') },
    });
    gate.open();
    await run;
    await pass(4);
    expect(overdue).toEqual([]);
    expect((await redlock.status('report')).overdueBy).toBe(3 * 60_000);
    await pass(3);
    expect(overdue).toEqual([expect.stringMatching(/^report 09:52 /)]);
  });

  it('not when a run of its interval has just ended', async () => {
    const { fleet, gate, redlock, pass } = await startFleet({ ttl: '1m' });
    gate.close();
    const run = fleet.fire('minute');
    await pass(20);
    gate.open();
    await run;
    expect((await redlock.status('minute')).overdueBy).toBeNull();
    await pass(3);
    expect((await redlock.status('minute')).overdueBy).toBe(2 * 60_000);
  });

  it('not while it is paused, nor when it has just been resumed', async () => {
    const { fleet, overdue, redlock, pass } = await startFleet();
    await fleet.fire('report', at('09:31:00'));
    await redlock.pause('report');
    await pass(60);
    expect((await redlock.status('report')).overdueBy).toBeNull();
    await redlock.resume('report');
    await pass(5);
    expect(overdue).toEqual([]);
    await pass(3);
    expect(overdue).toEqual([expect.stringMatching(/^report 10:32 /)]);
  });

  it('not when a pause has just ended by itself', async () => {
    const { fleet, overdue, redlock, pass } = await startFleet();
    await fleet.fire('report', at('09:31:00'));
    await redlock.pause('report', { for: '1h' });
    await pass(65);
    expect(overdue).toEqual([]);
    await pass(3);
    expect(overdue).toEqual([expect.stringMatching(/^report 10:32 /)]);
  });

  it('not if it is skipped because of `every`', async () => {
    const { fleet, overdue, pass } = await startFleet({ every: '1h' });
    await fleet.fire('report', at('09:31:00'));
    await pass(58);
    expect(overdue).toEqual([]);
  });
});

describe('the status of a job', () => {
  it('has nulls for what is not known', async () => {
    const { redlock } = await startFleet();
    expect(await redlock.status('nobody')).toEqual({
      name: 'nobody',
      lastTick: null,
      lastOutcome: null,
      nextTick: null,
      overdueBy: null,
      running: null,
      paused: null,
    });
  });

  it('tells when it ran, when it is due, and who has paused it, until when and why', async () => {
    const { fleet, redlock } = await startFleet();
    await fleet.fire('report', at('09:31:00'));
    await redlock.pause('report', { for: '2h', note: '<b>migration</b> 42' });
    const [, , third] = fleet.instances;
    const status = await third!.get(RedlockService).status('report');
    const [first] = await redlock.fleet();
    expect(status).toEqual({
      name: 'report',
      lastTick: at('09:31:00'),
      lastOutcome: 'finished',
      nextTick: at('09:32:00'),
      overdueBy: null,
      running: null,
      paused: {
        by: expect.any(String) as unknown,
        at: at('09:31:00'),
        since: at('09:31:00'),
        until: at('11:31:00'),
        note: '<b>migration</b> 42',
      },
    });
    expect(first?.jobs.map(({ name }) => name)).toEqual(['report', 'minute']);
  });

  it('of an interval is due one interval after the beginning of a run in progress', async () => {
    const { fleet, gate, redlock } = await startFleet();
    await fleet.fire('minute');
    gate.close();
    const run = fleet.fire('minute');
    await expect.poll(async () => (await redlock.status('minute')).running).not.toBeNull();
    expect((await redlock.status('minute')).nextTick).toEqual(at('09:33:05'));
    gate.open();
    await run;
  });

  it('of an interval is due one interval after its last run', async () => {
    const { fleet, redlock } = await startFleet();
    await fleet.fire('minute');
    expect(await redlock.status('minute')).toMatchObject({ lastTick: null, nextTick: at('09:32:05') });
    expect(redlock.preview('minute', 2)).toEqual([at('09:32:05'), at('09:33:05')]);
  });

  it('is due at the first tick that `every` does not leave out, also while it runs', async () => {
    const { fleet, gate, redlock } = await startFleet({ every: '3m' });
    const next = async () => (await redlock.status('report')).nextTick;
    expect(await next()).toEqual(at('09:31:00'));
    gate.close();
    const run = fleet.fire('report', at('09:31:00'));
    await expect.poll(async () => (await redlock.status('report')).running).not.toBeNull();
    expect(await next()).toEqual(at('09:34:00'));
    gate.open();
    await run;
    await fleet.fire('report', at('09:32:00'));
    expect(await redlock.status('report')).toMatchObject({
      lastTick: at('09:31:00'),
      nextTick: at('09:34:00'),
    });
    expect((await fleet.fire('report', at('09:34:00'))).some(({ ran }) => ran)).toBe(true);
  });

  it('is due at the same tick while a triggered run is in progress', async () => {
    const { fleet, gate, redlock, pass } = await startFleet({ every: '3m' });
    await fleet.fire('report', at('09:31:00'));
    await pass(2);
    gate.close();
    const run = redlock.trigger('report');
    await expect.poll(async () => (await redlock.status('report')).running).not.toBeNull();
    expect((await redlock.status('report')).nextTick).toEqual(at('09:34:00'));
    gate.open();
    await run;
  });

  it('counts `every` from when the newest run began, however long that took', async () => {
    const { fleet, gate, redlock, pass } = await startFleet({ every: '3m' });
    gate.close();
    const run = fleet.fire('report', at('09:31:00'));
    await expect.poll(async () => (await redlock.status('report')).running).not.toBeNull();
    await fleet.advance('150s');
    gate.open();
    await run;
    await pass(3);
    expect((await redlock.status('report')).overdueBy).toBe(150_000);
  });

  it('has found a run in progress, also if that was triggered', async () => {
    const { fleet, gate, redlock, pass } = await startFleet();
    await fleet.fire('report', at('09:31:00'));
    gate.close();
    const run = redlock.trigger('report');
    await expect.poll(async () => (await redlock.status('report')).running).not.toBeNull();
    await pass(5);
    gate.open();
    await run;
    expect((await redlock.status('report')).overdueBy).toBeNull();
    await fleet.advance('65s');
    expect((await redlock.status('report')).overdueBy).toBe(5000);
  });

  it('counts `every` from when the newest run began, also if that was a call', async () => {
    const { fleet, redlock, pass } = await startFleet({ every: '3m' });
    await fleet.fire('report', at('09:31:00'));
    await fleet.advance('210s');
    expect(await redlock.run('report', () => {}, { every: '3m' })).toMatchObject({ ran: true });
    await pass(2);
    expect(await redlock.status('report')).toMatchObject({ nextTick: at('09:38:00'), overdueBy: null });
    expect((await fleet.fire('report', at('09:37:00'))).some(({ ran }) => ran)).toBe(false);
    expect((await fleet.fire('report', at('09:38:00'))).some(({ ran }) => ran)).toBe(true);
  });

  it('comes with a preview of the next ticks, and the list of the jobs', async () => {
    const { redlock } = await startFleet();
    expect(redlock.preview('report', 3)).toEqual([at('09:31:00'), at('09:32:00'), at('09:33:00')]);
    expect(redlock.preview('nobody')).toEqual([]);
    expect(redlock.jobs()).toMatchObject([
      {
        name: 'report',
        isPattern: false,
        declaredAs: 'Jobs.report',
        schedule: { kind: 'cron', expression: '0 * * * * *', timeZone: 'UTC' },
        options: { ttl: 30_000, missed: 'skip', history: 50, every: null },
      },
      { name: 'minute', schedule: { kind: 'interval', every: 60_000 } },
    ]);
  });
});
