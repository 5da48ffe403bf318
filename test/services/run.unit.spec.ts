import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { describe, expect, it } from 'vitest';
import { type CurrentRun, Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { LeaseRegistry } from '../../src/services/lease-registry.service.js';
import { RunExecutor } from '../../src/services/run-executor.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, close, fire, newYear, ONCE_A_YEAR, start, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

describe('run', () => {
  it('resolves to what the routine returns, and rejects with what it throws', async () => {
    const redlock = (await start({})).get(RedlockService);
    const [value, fault] = [{}, new Error('no paper')];
    const outcome = await redlock.run('report', async () => value);
    expect(outcome.ran && outcome.value).toBe(value);
    const failing = redlock.run('report', () => {
      throw fault;
    });
    expect(await failing.catch((error: unknown) => error)).toBe(fault);
    expect(await redlock.run('report', () => 'again')).toEqual({ ran: true, value: 'again' });
  });

  it('says why it did not run', async () => {
    const redlock = (await start({})).get(RedlockService);
    const lock = await redlock.lock('report');
    expect(await redlock.run('report', () => 1)).toEqual({ ran: false, reason: 'overlap' });
    await lock?.release();
    await redlock.run('seldom', () => 1, { every: '1h' });
    expect(await redlock.run('seldom', () => 1, { every: '1h' })).toEqual({ ran: false, reason: 'settled' });
  });

  it('gives its lock back though no record of it can be made', async () => {
    const logger = new RecordingLogger();
    const app = await start({ logger });
    const redlock = app.get(RedlockService);
    app.get(RunExecutor).around = (event, routine) => {
      Reflect.set(event, 'tick', 'a text');
      routine();
    };
    expect(await redlock.run('report', () => 1)).toEqual({ ran: true, value: 1 });
    expect(await redlock.run('report', () => 2)).toEqual({ ran: true, value: 2 });
    expect(await redlock.history('report')).toEqual([]);
    expect(logger.at('error').join('\n')).toContain('Recording a run of "report" failed: TypeError');
  });

  it('is part of the run of that name in which it is called, at any depth', async () => {
    @Injectable()
    class Reports {
      constructor(readonly redlock: RedlockService) {}

      @Exclusive('report') async report(): Promise<unknown> {
        return this.redlock.run('report', ({ runId }) => runId);
      }
    }
    const app = await start({ providers: [Reports] });
    const redlock = app.get(RedlockService);
    const started: string[] = [];
    redlock.on('started', ({ name }) => started.push(name));
    expect(await app.get(Reports).report()).toEqual({ ran: true, value: expect.any(String) });
    const outcome = await redlock.run('report', (run) =>
      redlock.run('page', () => redlock.run('report', (own) => own === run)),
    );
    expect(outcome).toMatchObject({ value: { value: { ran: true, value: true } } });
    expect(started).toEqual(['report', 'report', 'page']);
    const fault = new Error('no paper');
    const failing = redlock.run('report', () => redlock.run('report', () => Promise.reject(fault)));
    await expect(failing).rejects.toBe(fault);
  });

  it('is no part of a run that has ended, or of one on another instance', async () => {
    const nodes = new MemoryNode();
    const apps = await startFleet(2, { redlock: { nodes } });
    const [one, two] = apps.map((app) => app.get(RedlockService));
    const overlap = { ran: false, reason: 'overlap' };
    let later: Promise<unknown> = Promise.resolve();
    await one!.run('report', async () => {
      expect(await two!.run('report', () => 1)).toEqual(overlap);
      later = pause(20).then(() => one!.run('report', () => 1));
    });
    const lock = await two!.lock('report');
    expect(await later).toEqual(overlap);
    await lock?.release();
  });

  it('runs each tick of its cron job once over the fleet', async () => {
    const nodes = new MemoryNode();
    const services = [await start({ redlock: { nodes } }), await start({ redlock: { nodes } })];
    const runs: [Date | null, number | null][] = [];
    const jobs = services.map((app) => {
      const redlock = app.get(RedlockService);
      const job: CronJob = CronJob.from({
        cronTime: ONCE_A_YEAR,
        timeZone: 'UTC',
        waitForCompletion: true,
        onTick: async () => {
          await redlock.run('yearly', ({ tick, fencingToken }) => runs.push([tick, fencingToken]), { job });
        },
      });
      return job;
    });
    for (const job of [...jobs, ...jobs]) await job.fireOnTick();
    expect(runs).toEqual([[newYear(), newYear().getTime()]]);
  });

  it('knows the ticks of a cron job whose time has been set anew', async () => {
    const redlock = (await start({})).get(RedlockService);
    const job = CronJob.from({ cronTime: ONCE_A_YEAR, timeZone: 'UTC', onTick: () => {} });
    const tickOf = async (): Promise<Date | null> => {
      const outcome = await redlock.run('yearly', ({ tick }) => tick, { job });
      return outcome.ran ? outcome.value : null;
    };
    expect(await tickOf()).toEqual(newYear());
    job.cronTime = CronJob.from({ cronTime: '0 1 1 1 *', timeZone: 'UTC', onTick: () => {} }).cronTime;
    expect(await tickOf()).toEqual(new Date(newYear().getTime() + 3_600_000));
  });

  it('is not run in a shutdown, with one warning', async () => {
    @Injectable()
    class Buffer implements OnModuleDestroy {
      @Exclusive('flush') async flush(): Promise<void> {}

      async onModuleDestroy(): Promise<void> {
        for (let time = 0; time < 2; time++) await this.flush();
      }
    }
    const logger = new RecordingLogger();
    await close(await start({ redlock: { nodes: new MemoryNode() }, providers: [Buffer], logger }));
    expect(logger.at('warn')).toEqual([
      '"flush" was not run: the application is shutting down RedlockModule',
    ]);
  });

  it('rejects with an error of its own if it is retried in a shutdown', async () => {
    const errors: Error[] = [];
    let shutDown: (() => void) | undefined;
    const Retrying = (
      _target: object,
      _key: string,
      descriptor: TypedPropertyDescriptor<() => Promise<void>>,
    ) => {
      const { value } = descriptor;
      descriptor.value = async function (this: unknown): Promise<void> {
        for (let time = 0; time < 2; time++)
          await value?.call(this).catch((error: unknown) => errors.push(error as Error));
      };
    };
    @Injectable()
    class Billing {
      @Cron(ONCE_A_YEAR, byHand('bill'))
      @Retrying
      @Exclusive('bill')
      async bill(): Promise<void> {
        shutDown?.();
        throw new Error('the bank is away');
      }
    }
    const app = await start({ redlock: { nodes: new MemoryNode() }, providers: [Billing] });
    shutDown = () => app.get(LeaseRegistry).close();
    await fire(app, 'bill');
    expect(errors.map(({ message }) => message)).toEqual([
      'the bank is away',
      '"bill" was not run, because the application is shutting down',
    ]);
  });

  it('keeps the result of a run whose lock cannot be released, with a warning', async () => {
    class Broken extends MemoryNode {
      override settle(): Promise<boolean> {
        return Promise.reject(new Error('OUT OF ORDER'));
      }
    }
    const logger = new RecordingLogger();
    // Closing the application waits for this long until the node has settled the runs.
    const nodeTimeout = 50;
    const app = await start({ redlock: { nodes: new Broken(), nodeTimeout }, logger });
    const redlock = app.get(RedlockService);
    expect(await redlock.run('report', () => 'result')).toEqual({ ran: true, value: 'result' });
    expect(logger.at('warn')).toEqual([
      expect.stringMatching(/^Node memory:\w+ cannot vote: OUT OF ORDER/),
      expect.stringContaining('"report" could not be released'),
    ]);
    const failing = redlock.run('other', () => Promise.reject(new Error('its own error')));
    await expect(failing).rejects.toThrow('its own error');
  });
});

describe('current', () => {
  it('is an object that can be printed and spread, whose fencing token nobody moves', async () => {
    const redlock = (await start({})).get(RedlockService);
    const job = CronJob.from({ cronTime: ONCE_A_YEAR, timeZone: 'UTC', onTick: () => {} });
    await redlock.run(
      'yearly',
      () => {
        const run = redlock.current()!;
        expect(JSON.parse(JSON.stringify(run))).toMatchObject({ name: 'yearly', instanceId: run.instanceId });
        expect({ ...run }.signal).toBe(run.signal);
        run.tick?.setTime(0);
        expect(run.fencingToken).toBe(newYear().getTime());
      },
      { job },
    );
  });

  it('is the run that the caller is in, through all it awaits, and none outside', async () => {
    const redlock = (await start({ redlock: { instanceId: 'me' } })).get(RedlockService);
    const names: (string | undefined)[] = [];
    const note = (): void => void names.push(redlock.current()?.name);
    note();
    await Promise.all(
      ['a', 'b'].map((name) =>
        redlock.run(name, async (run) => {
          await pause(20);
          await Promise.resolve().then(note);
          expect(redlock.current()).toBe(run);
          await redlock.run(`${name} within`, note);
          note();
        }),
      ),
    );
    note();
    expect(names.at(0)).toBeUndefined();
    expect(names.at(-1)).toBeUndefined();
    const within = names.slice(1, -1).map(String);
    expect(within.toSorted((a, b) => a.localeCompare(b))).toEqual([
      'a',
      'a',
      'a within',
      'b',
      'b',
      'b within',
    ]);
  });

  it('has all there is to know of a run that belongs to no tick', async () => {
    const redlock = (await start({ redlock: { instanceId: 'me' } })).get(RedlockService);
    let seen: CurrentRun | undefined;
    await redlock.run('report', () => void (seen = redlock.current()));
    expect(seen).toMatchObject({ name: 'report', tick: null, fencingToken: null, instanceId: 'me' });
    expect(seen?.signal.aborted).toBe(false);
  });
});

it('a run in a run of another application excludes others, even if both instances have the same name', async () => {
  const nodes = new MemoryNode();
  const [api, worker, other] = (await Promise.all(
    [
      { keyPrefix: 'api', instanceId: 'pod-1' },
      { keyPrefix: 'worker', instanceId: 'pod-1' },
      { keyPrefix: 'worker', instanceId: 'pod-2' },
    ].map(async (options) => (await start({ redlock: { nodes, ...options } })).get(RedlockService)),
  )) as [RedlockService, RedlockService, RedlockService];
  const lock = await other.lock('sync');
  const outcome = await api.run('sync', () => worker.run('sync', () => 'ran'));
  expect(outcome).toMatchObject({ ran: true, value: { ran: false, reason: 'overlap' } });
  await lock?.release();
});

it('the record of an aborted run says why it was aborted, even if the routine throws something else', async () => {
  const clock = new ManualClock();
  const redlock = (await start({ clock, redlock: { nodes: new MemoryNode(clock.now) } })).get(RedlockService);
  const run = redlock.run('report', ({ signal }) => pause(60_000, undefined, { signal }), {
    maxRuntime: '2s',
  });
  await Promise.allSettled([run, clock.advance(2000)]);
  expect(await redlock.history('report')).toMatchObject([
    { outcome: 'aborted', error: expect.stringMatching(/^RunTimeoutError: /) as string },
  ]);
});
