import { setImmediate } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import { CronJob } from 'cron';
import { expect, it, vi } from 'vitest';
import { Exclusive, InvalidOptionError, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import { CronFiring, currentFiring } from '../../src/schedule/firing.js';
import { SchedulerFirings } from '../../src/services/scheduler-firings.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { closeAfterTest } from '../close-after-test.js';
import { byHand, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

@Injectable()
class Jobs {
  @Exclusive('eager') async eager(): Promise<void> {}
}

@Injectable()
class Lazy {
  @Exclusive('wrong', { ttl: 1 }) async wrong(): Promise<void> {}

  @Cron(ONCE_A_YEAR, byHand('spread'))
  @Exclusive('spread', { spread: '1000d' })
  async spread(): Promise<void> {}

  @Exclusive('lazy') async lazy(): Promise<string> {
    return 'worked';
  }
}

@Module({ providers: [Lazy] })
class LazyModule {}

async function startWithoutScheduler(nodes: MemoryNode): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports: [RedlockModule.forRoot({ nodes })] })
    .setLogger(new RecordingLogger())
    .compile();
  closeAfterTest(await app.init());
  return app;
}

it('a job of a lazy module with invalid options is refused when it is called, and spoils no other', async () => {
  const app = await start({ providers: [Jobs] });
  const redlock = app.get(RedlockService);
  await app.get(LazyModuleLoader).load(() => LazyModule);
  expect(redlock.jobs().map(({ name }) => name)).toEqual(['eager', 'lazy']);
  expect(await redlock.status('eager')).toMatchObject({ name: 'eager' });
  expect(await redlock.trigger('lazy')).toEqual({ ran: true, value: 'worked' });
  await expect(redlock.trigger('wrong')).rejects.toThrow(InvalidOptionError);
  await expect(redlock.trigger('wrong')).rejects.toThrow('@Exclusive on Lazy.wrong: ttl must be at least');
});

it('a job of a lazy module is listed for the fleet', async () => {
  const clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  const app = await start({ clock, redlock: { nodes: new MemoryNode(clock.now) }, providers: [Jobs] });
  const declared = async (): Promise<string[][]> =>
    (await app.get(RedlockService).fleet()).map(({ jobs }) => jobs.map(({ name }) => name));
  await clock.advance(1000);
  expect(await declared()).toEqual([['eager']]);
  await app.get(LazyModuleLoader).load(() => LazyModule);
  await clock.advance(10_000);
  expect(await declared()).toEqual([['eager', 'lazy']]);
});

it('is listed although the module is loaded while a node is told of the jobs before', async () => {
  const clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  const nodes = new MemoryNode(clock.now);
  const told: (() => void)[] = [];
  const register = nodes.register.bind(nodes);
  vi.spyOn(nodes, 'register').mockImplementationOnce(async (...args) => {
    await new Promise<void>((resolve) => told.push(resolve));
    return register(...args);
  });
  const app = await start({ clock, redlock: { nodes }, providers: [Jobs] });
  await clock.advance(10);
  await app.get(LazyModuleLoader).load(() => LazyModule);
  for (const answer of told) answer();
  await clock.advance(20_000);
  const [instance] = await app.get(RedlockService).fleet();
  expect([told.length, instance?.jobs.map(({ name }) => name)]).toEqual([1, ['eager', 'lazy']]);
});

it('an object that a factory of a lazy module returns is guarded', async () => {
  class Made {
    constructor(readonly redlock: RedlockService) {}

    @Exclusive('made') async made(): Promise<string | undefined> {
      return this.redlock.current()?.name;
    }
  }
  const useFactory = (redlock: RedlockService): Made => new Made(redlock);
  @Module({ providers: [{ provide: Made, useFactory, inject: [RedlockService] }] })
  class WithFactory {}

  const app = await start({ providers: [Jobs] });
  const loaded = await app.get(LazyModuleLoader).load(() => WithFactory);
  expect(await loaded.get(Made).made()).toBe('made');
});

it('a scheduler that comes with a lazy module fires for its ticks, as from the start', async () => {
  const ticks: unknown[] = [];

  @Injectable()
  class Scheduled {
    constructor(
      readonly redlock: RedlockService,
      registry: SchedulerRegistry,
    ) {
      const onTick = (): Promise<void> => this.report();
      const { timeZone } = byHand('');
      const cronJob = CronJob.from({ cronTime: ONCE_A_YEAR, onTick, timeZone, waitForCompletion: true });
      registry.addCronJob('report', cronJob);
    }

    @Exclusive('report') async report(): Promise<void> {
      ticks.push(this.redlock.current()?.tick);
    }
  }

  @Module({ imports: [ScheduleModule.forRoot()], providers: [Scheduled] })
  class WithScheduler {}

  const nodes = new MemoryNode();
  for (let instance = 0; instance < 2; instance++) {
    const app = await startWithoutScheduler(nodes);
    const loaded = await app.get(LazyModuleLoader).load(() => WithScheduler);
    await loaded.get(SchedulerRegistry, { strict: false }).getCronJob('report').fireOnTick();
  }
  expect(ticks).toEqual([newYear()]);
});

it('a loader that a test replaces is left alone', async () => {
  const builder = Test.createTestingModule({ imports: [RedlockModule.forRoot({ nodes: 'memory' })] });
  const app = await builder.overrideProvider(LazyModuleLoader).useValue({}).compile();
  closeAfterTest(app);
  await expect(app.init()).resolves.toBe(app);
});

it('a module that is loaded again is not searched again', async () => {
  const app = await start({ providers: [Jobs] });
  const watch = vi.spyOn(app.get(SchedulerFirings), 'watch');
  await app.get(LazyModuleLoader).load(() => LazyModule);
  await app.get(LazyModuleLoader).load(() => LazyModule);
  expect(watch).toHaveBeenCalledTimes(1);
});

it('a scheduler is found although another module, whose loading fails, is given up meanwhile', async () => {
  let fail!: (reason: Error) => void;
  const failing = new Promise<never>((_resolve, reject) => (fail = reject));
  @Module({ providers: [{ provide: 'database', useFactory: () => failing }] })
  class Database {}
  @Module({ imports: [Database] })
  class Broken {}
  @Module({ imports: [ScheduleModule.forRoot()] })
  class Scheduling {}

  const app = await startWithoutScheduler(new MemoryNode());
  const loader = app.get(LazyModuleLoader);
  const broken = loader.load(() => Broken);
  await setImmediate(undefined);
  const loaded = loader.load(async () => {
    fail(new Error('no database'));
    await expect(broken).rejects.toThrow('no database');
    return Scheduling;
  });
  const registry = (await loaded).get(SchedulerRegistry, { strict: false });
  expect(app.get(SchedulerFirings).hasScheduler).toBe(true);
  let firing: unknown;
  const job = new CronJob(ONCE_A_YEAR, () => void (firing = currentFiring()));
  registry.addCronJob('report', job);
  await job.fireOnTick();
  expect(firing).toBeInstanceOf(CronFiring);
});
