import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { CronJob, CronTime } from 'cron';
import { describe, expect, it, vi } from 'vitest';
import {
  Exclusive,
  InvalidOptionError,
  MemoryNode,
  RedlockModule,
  RedlockService,
  type RunRecord,
  RunTimeoutError,
  ShutdownError,
} from '../../src/index.js';
import * as names from '../../src/testing/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { AppModule, at, FAULT, Jobs, Ledger, startFleet } from './application.js';

const ran = { ran: true, value: undefined };

/** What is on record about a run of a tick. */
const recorded = (outcome: RunRecord['outcome'], error: string | null = null): unknown =>
  expect.objectContaining({ outcome, error, trigger: 'schedule', tick: expect.any(Date) as unknown });
const lost = (reason: string) => ({ ran: false, reason });

it('the entry exports these names, and no others', () => {
  expect(Object.keys(names).toSorted()).toEqual(['LOCK_NODE_CONTRACT', 'TestFleet']);
});

it('nothing fires by itself, even a cron job that is late when it is started', async () => {
  const late = vi.spyOn(CronTime.prototype, 'getTimeout').mockReturnValue(-1);
  const told = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const { ledger } = await startFleet();
  expect(told).toHaveBeenCalledWith(expect.stringContaining('Executing immediately'));
  for (const spy of [late, told]) spy.mockRestore();
  await pause(50);
  expect(ledger.entries).toEqual([]);
});

describe('a firing', () => {
  it('tells what the run was put on record as, and which ticks it found missed', async () => {
    const { fleet } = await startFleet();
    const [first] = await fleet.fire('report');
    expect(first?.record).toMatchObject({ outcome: 'finished', tick: at('09:40:00'), trigger: 'schedule' });
    const [record, ...others] = await fleet.instances[0]!.get(RedlockService).history('report');
    expect(first?.record).toEqual(record);
    expect(others).toEqual([]);
    const [loser, won] = await fleet.fire('report', at('10:10:00'));
    expect(loser).toEqual({ instance: 0, ran: false, reason: 'elsewhere' });
    expect(won?.missed).toMatchObject([
      { count: 2, from: at('09:50:00'), to: at('10:00:00'), cause: 'unknown' },
    ]);
  });

  it('of a job that fires once a day takes no longer than any other', async () => {
    const { fleet } = await startFleet();
    const beats = vi.spyOn(MemoryNode.prototype, 'register');
    await fleet.advance('1d');
    await fleet.fire('report');
    expect(beats.mock.calls.length).toBeLessThan(20);
    beats.mockRestore();
    expect(await fleet.instances[0]!.get(RedlockService).fleet()).toHaveLength(2);
  });

  it('of a cron job is the next tick, and one instance runs it', async () => {
    const { fleet, ledger } = await startFleet({ instances: 3 });
    expect(await fleet.fire('report')).toEqual([
      { instance: 0, ran: true, value: 'done', record: recorded('finished') },
      { instance: 1, ran: false, reason: 'elsewhere' },
      { instance: 2, ran: false, reason: 'elsewhere' },
    ]);
    expect(fleet.now).toEqual(at('09:40:00'));
    await fleet.fire('report');
    await fleet.fire('report');
    expect(ledger.entries.map(({ tick }) => tick)).toEqual([at('09:40:00'), at('09:50:00'), at('10:00:00')]);
  });

  it('lets another instance be the first each time', async () => {
    const { fleet, ledger } = await startFleet({ instances: 3 });
    for (let firings = 0; firings < 4; firings++) await fleet.fire('report');
    const turns = ledger.entries.map(({ jobs }) =>
      fleet.instances.findIndex((app) => app.get(Jobs) === jobs),
    );
    expect(turns).toEqual([0, 1, 2, 0]);
  });

  it('at a moment of its own is of the latest tick, and a settled one runs nowhere', async () => {
    const { fleet, ledger } = await startFleet();
    await fleet.fire('report', at('09:47:11'));
    expect(ledger.entries).toMatchObject([{ tick: at('09:40:00') }]);
    expect(await fleet.fire('report', at('09:49:59'))).toMatchObject([lost('settled'), lost('settled')]);
    await fleet.fire('report', at('09:50:00'));
    expect(ledger.entries).toMatchObject([{ tick: at('09:40:00') }, { tick: at('09:50:00') }]);
  });

  it('makes the call that the scheduler makes', async () => {
    const { fleet, ledger } = await startFleet({ instances: 1 });
    await fleet.fire('report');
    await fleet.advance('10m');
    await fleet.instances[0]?.get(SchedulerRegistry).getCronJob('ten minutes').fireOnTick();
    await expect.poll(() => ledger.entries.length).toBe(2);
    const [fired, scheduled] = ledger.entries;
    expect(scheduled).toEqual({ ...fired, tick: at('09:50:00') });
    expect(fired?.args).toEqual([undefined]);
  });

  it('of an interval comes one interval later, and no earlier one runs', async () => {
    const { fleet, ledger } = await startFleet();
    expect(await fleet.fire('minute')).toMatchObject([ran, lost('elsewhere')]);
    expect(fleet.now).toEqual(at('09:31:05'));
    await fleet.advance('30s');
    expect(await fleet.fire('minute', fleet.now)).toMatchObject([lost('settled'), lost('settled')]);
    await fleet.advance('29s');
    expect(await fleet.fire('minute', fleet.now)).toMatchObject([ran, lost('elsewhere')]);
    expect(ledger.entries.map(({ args }) => args)).toEqual([[], []]);
  });

  it('of anything else moves no clock', async () => {
    const { fleet } = await startFleet();
    expect(await fleet.fire('once')).toMatchObject([ran, lost('overlap')]);
    expect(await fleet.fire('callee')).toMatchObject([lost('overlap'), ran]);
    expect(fleet.now).toEqual(at('09:30:05'));
  });

  it('finds a job by its class and method too', async () => {
    const { fleet } = await startFleet();
    expect(await fleet.fire('Jobs.everySecond')).toMatchObject([ran, lost('elsewhere')]);
    expect(await fleet.fire('Jobs.report')).toMatchObject([lost('elsewhere'), { ran: true }]);
  });

  it('tells what the job threw', async () => {
    const { fleet } = await startFleet();
    expect(await fleet.fire('fault')).toEqual([
      { instance: 0, ran: true, error: FAULT, record: recorded('failed', `Error: ${FAULT.message}`) },
      { instance: 1, ran: false, reason: 'elsewhere' },
    ]);
  });

  it('tells what kept a job from running that has no reason: the function that names it', async () => {
    const { fleet } = await startFleet({ instances: 1 });
    expect(await fleet.fire('Jobs.nameless')).toEqual([
      { instance: 0, ran: false, error: expect.any(InvalidOptionError) as unknown },
    ]);
  });

  it('tells of the job itself, not of those that it calls', async () => {
    const { fleet, ledger } = await startFleet({ instances: 1 });
    expect(await fleet.fire('caller')).toEqual([
      { instance: 0, ran: true, value: 'called', record: recorded('finished') },
    ]);
    expect(ledger.entries).toMatchObject([{ job: 'callee' }]);
  });

  it('that is not awaited is still before the next one', async () => {
    const { fleet } = await startFleet({ instances: 1 });
    const runs = await Promise.all([fleet.fire('report'), fleet.fire('report'), fleet.advance('1m')]);
    expect(runs.slice(0, 2)).toMatchObject([[{ ran: true }], [{ ran: true }]]);
    expect(fleet.now).toEqual(at('09:51:00'));
  });

  it('tells two calls at the same time apart', async () => {
    const { fleet } = await startFleet({ instances: 1 });
    const runs = await Promise.all([fleet.fire('once'), fleet.fire('once')]);
    expect(runs.flat()).toMatchObject([ran, lost('overlap')]);
  });
});

describe('the clock', () => {
  it('leaves a run in progress its lock, however far it goes', async () => {
    const { fleet, ledger } = await startFleet();
    const gate = new EventTarget();
    ledger.gate = once(gate, 'open');
    const first = fleet.fire('slow');
    await expect.poll(() => ledger.entries.length).toBe(1);
    expect(await fleet.fire('slow')).toMatchObject([lost('overlap'), lost('overlap')]);
    await fleet.advance('1h');
    expect(await fleet.fire('slow', fleet.now)).toMatchObject([lost('overlap'), lost('overlap')]);
    gate.dispatchEvent(new Event('open'));
    expect(await first).toMatchObject([ran, lost('elsewhere')]);
    const later = await fleet.fire('slow');
    expect(later.filter((run) => run.ran)).toHaveLength(1);
  });

  it('does not go back', async () => {
    const { fleet } = await startFleet();
    await expect(fleet.fire('report', at('09:30:04'))).rejects.toThrow(
      'TestFleet.fire(): at must not be before 2031-05-07T09:30:05.000Z, the time of the fleet',
    );
    await expect(fleet.fire('report', new Date('soon'))).rejects.toThrow('at must be a valid Date');
    await expect(fleet.advance('-1s')).rejects.toThrow('TestFleet.advance(): duration must be');
  });

  it('is that of the store too, and nobody warns of it', async () => {
    const logger = new RecordingLogger();
    const { fleet } = await startFleet({ override: (app) => app.setLogger(logger) });
    await fleet.fire('report');
    const warnings = [...logger.at('warn'), ...logger.at('error')];
    // The jobs that the test does not fire become overdue.
    expect(warnings.filter((line) => !line.includes('is overdue'))).toEqual([]);
  });

  it('is the one of redlock.run too', async () => {
    const { fleet } = await startFleet({ instances: 1 });
    const redlock = fleet.instances[0]!.get(RedlockService);
    const job = CronJob.from({ cronTime: '0 0 * * * *', onTick: () => {}, timeZone: 'UTC' });
    expect(await redlock.run('own', ({ tick }) => tick, { job })).toMatchObject({ value: at('09:00:00') });
    expect(await redlock.run('own', ({ tick }) => tick, { job })).toMatchObject({ reason: 'settled' });
  });
});

describe('the instances', () => {
  it('fire nothing by themselves', async () => {
    vi.useFakeTimers();
    try {
      const { fleet, ledger } = await startFleet();
      const registry = fleet.instances[0]!.get(SchedulerRegistry);
      const fired: Date[] = [];
      const job = CronJob.from({ cronTime: '* * * * * *', onTick: () => void fired.push(new Date()) });
      registry.addCronJob('own', job);
      job.start();
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(ledger.entries).toEqual([]);
      expect(fired).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('are two by default, each with what the override gives it', async () => {
    const ledgers = [new Ledger(), new Ledger()];
    const { fleet } = await startFleet({
      override: (app, instance) => app.overrideProvider(Ledger).useValue(ledgers[instance]),
    });
    await fleet.fire('report');
    await fleet.fire('report');
    expect(ledgers.map(({ entries }) => entries.map(({ tick }) => tick))).toEqual([
      [at('09:40:00')],
      [at('09:50:00')],
    ]);
  });

  it('keep the other options of the application', async () => {
    @Module({
      imports: [
        ScheduleModule.forRoot(),
        RedlockModule.forRootAsync({ useFactory: () => ({ enabled: false }) }),
      ],
      providers: [Jobs, Ledger],
    })
    class Disabled {}
    const { fleet } = await startFleet({}, Disabled);
    expect(await fleet.fire('report')).toMatchObject([{ ran: true }, { ran: true }]);
  });

  it('are at least one, and their options are spelt right', async () => {
    for (const instances of [0, 1.5, Number.NaN]) {
      await expect(TestFleet.create(AppModule, { instances })).rejects.toThrow(
        'TestFleet.create(): instances must be a whole number from 1 to 1000',
      );
    }
    await expect(TestFleet.create(AppModule, { instancs: 3 } as object)).rejects.toThrow(
      'TestFleet.create(): unknown option "instancs" (known options: instances, now, nodes, override)',
    );
    await expect(TestFleet.create(AppModule, { now: new Date('soon') })).rejects.toThrow(
      'TestFleet.create(): now must be a valid Date; received an invalid Date',
    );
  });

  it.each<[what: string, options: object, message: string]>([
    ['a time that is a string', { now: '2031-05-07' }, 'now must be a valid Date; received "2031-05-07"'],
    ['a time that is null', { now: null }, 'now must be a valid Date; received null'],
    ['an override that is no function', { override: {} }, 'override must be a function; received an object'],
    ['more instances than a process can have', { instances: 1e9 }, 'instances must be a whole number'],
    ['an array in place of the options', [2], 'options must be an object, not an array'],
  ])('refuse %s', async (_what, options, message) => {
    await expect(TestFleet.create(AppModule, options)).rejects.toThrow(`TestFleet.create(): ${message}`);
  });

  it('refuse a module that is none, and a factory that returns a URL', async () => {
    await expect(TestFleet.create(undefined as never)).rejects.toThrow('module must be a module');
    @Module({ imports: [RedlockModule.forRootAsync({ useFactory: () => 'redis://:s3cr3t@a' as never })] })
    class WithUrl {}
    await expect(TestFleet.create(WithUrl)).rejects.toThrow('options must be an object, not a string');
  });

  it('fire only jobs with a name, at a time', async () => {
    const { fleet } = await startFleet({});
    await expect(fleet.fire(undefined as never)).rejects.toThrow('TestFleet.fire(): job must be the name');
    for (const time of [null, 7, '2031-05-07', new Date('soon')]) {
      await expect(fleet.fire('report', time as never)).rejects.toThrow('TestFleet.fire(): at must be');
    }
  });

  it('that the test has closed are not closed again with the fleet', async () => {
    const closed: string[] = [];
    @Injectable()
    class Pool {
      onModuleDestroy(): void {
        closed.push('pool');
      }
    }
    @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Pool] })
    class PoolModule {}
    const fleet = await TestFleet.create(PoolModule, { instances: 2 });
    await fleet.instances[0]!.close();
    await fleet.close();
    expect(closed).toHaveLength(2);
  });

  it('that have started are closed when another one cannot start', async () => {
    const closed: number[] = [];
    const fault = new Error('No disk');
    const start = startFleet({
      instances: 3,
      override: (app, instance) =>
        app.overrideProvider(Ledger).useValue({
          onModuleInit: () => {
            if (instance === 1) throw fault;
          },
          onModuleDestroy: () => void closed.push(instance),
        }),
    });
    await expect(start).rejects.toBe(fault);
    // Nest also closes the one that failed, from 12.5 on.
    expect(new Set(closed.filter((instance) => instance !== 1))).toEqual(new Set([0, 2]));
  });
});

describe('a job that never fires', () => {
  @Injectable()
  class Lonely {
    @Cron('0 0 * * * *')
    @Exclusive('lonely')
    async work(): Promise<void> {}

    @Cron(at('12:00:00'))
    @Exclusive('at noon')
    async atNoon(): Promise<void> {}
  }

  @Module({ imports: [RedlockModule.forRoot()], providers: [Lonely] })
  class WithoutScheduler {}

  @Module({
    imports: [ScheduleModule.forRoot({ cronJobs: false }), RedlockModule.forRoot()],
    providers: [Lonely],
  })
  class WithoutCron {}

  @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Lonely] })
  class Scheduled {}

  it('is no success: the scheduler is missing', async () => {
    for (const module of [WithoutScheduler, WithoutCron]) {
      const { fleet } = await startFleet({}, module);
      await expect(fleet.fire('lonely')).rejects.toThrow(
        'TestFleet.fire(): Lonely.work is not scheduled: check that ScheduleModule.forRoot() is among',
      );
    }
  });

  it('is no success: its schedule is over', async () => {
    const { fleet } = await startFleet({}, Scheduled);
    expect(await fleet.fire('lonely')).toMatchObject([ran, lost('elsewhere')]);
    expect(await fleet.fire('at noon')).toMatchObject([lost('elsewhere'), ran]);
    await expect(fleet.fire('at noon')).rejects.toThrow('Lonely.atNoon has no scheduled time after');
  });

  it('is no success: there is none of that name', async () => {
    const { fleet } = await startFleet({}, Scheduled);
    await expect(fleet.fire('lonley')).rejects.toThrow(
      'TestFleet.fire(): unknown job "lonley" (known jobs: "lonely", "at noon")',
    );
  });
});

describe('time on the clock of the fleet', () => {
  const runs: { signal: AbortSignal; end: () => void }[] = [];

  @Injectable()
  class Imports {
    constructor(readonly redlock: RedlockService) {}

    @Cron('0 */10 * * * *')
    @Exclusive('import', { recover: true, ttl: '2s' })
    async recovers(): Promise<void> {
      await this.work();
    }

    @Cron('0 */10 * * * *')
    @Exclusive('limited', { maxRuntime: '5m' })
    async limited(): Promise<void> {
      await this.work();
    }

    private work(): Promise<void> {
      const { signal } = this.redlock.current()!;
      return new Promise((end) => {
        signal.addEventListener('abort', () => end());
        runs.push({ signal, end });
      });
    }
  }

  @Module({
    imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ shutdownTimeout: 1 })],
    providers: [Imports],
  })
  class ImportModule {}

  async function fireImport(job: string): Promise<{ fleet: TestFleet; firing: Promise<unknown> }> {
    runs.length = 0;
    const { fleet } = await startFleet({}, ImportModule);
    const firing = fleet.fire(job);
    await expect.poll(() => runs).toHaveLength(1);
    return { fleet, firing };
  }

  it('ends a run at its maxRuntime', async () => {
    const { fleet, firing } = await fireImport('limited');
    await fleet.advance('299s');
    expect(runs[0]?.signal.aborted).toBe(false);
    await fleet.advance('1s');
    expect(runs[0]?.signal.reason).toBeInstanceOf(RunTimeoutError);
    runs[0]?.end();
    await firing;
  });

  it('lets a tick be taken over, with recover, when an instance closes in the middle of a run', async () => {
    const { fleet, firing } = await fireImport('import');
    await fleet.instances[0]?.close();
    await firing;
    await fleet.advance('1900ms');
    expect(runs).toHaveLength(1);
    await fleet.advance('350ms');
    expect(runs).toHaveLength(2);
    runs[1]?.end();
  });

  it('does not pass while a shutdown waits for a run', async () => {
    const { fleet, firing } = await fireImport('limited');
    await Promise.all([fleet.close(), firing]);
    expect(runs[0]?.signal.reason).toBeInstanceOf(ShutdownError);
    expect(fleet.now).toEqual(at('09:40:00'));
  });

  it('passes while an instance waits for a lock', async () => {
    const { fleet } = await startFleet();
    const [one, other] = fleet.instances.map((app) => app.get(RedlockService));
    const held = await one!.lock('report');
    const waiting = other!.lock('report', { wait: '10s' });
    await fleet.advance('9s');
    await held?.release();
    await fleet.advance('1s');
    expect(await waiting).not.toBeNull();
    await (await waiting)?.release();
    expect(fleet.now).toEqual(at('09:30:15'));
  });

  it('passes while the instances start', async () => {
    const locks: unknown[] = [];
    @Injectable()
    class Migrations {
      constructor(readonly redlock: RedlockService) {}

      async onModuleInit(): Promise<void> {
        locks.push(await this.redlock.lock('migrations', { wait: '1m' }));
      }
    }
    @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Migrations] })
    class MigrationModule {}
    await startFleet({}, MigrationModule);
    expect(locks).toEqual([expect.objectContaining({ name: 'migrations' }), null]);
  });

  it('is the real time if the nodes are not the memory of the fleet', async () => {
    runs.length = 0;
    const { fleet } = await startFleet({ nodes: new MemoryNode(), now: new Date() }, ImportModule);
    const firing = fleet.fire('limited', fleet.now);
    await expect.poll(() => runs).toHaveLength(1);
    await fleet.advance('1h');
    expect(runs[0]?.signal.aborted).toBe(false);
    runs[0]?.end();
    await firing;
  });
});
