import type { LoggerService, ModuleMetadata } from '@nestjs/common';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import { closeAfterTest, closeNow } from '../close-after-test.js';
import type { Clock } from '../../src/clock.js';
import { CLOCK } from '../../src/redlock.module-definition.js';
import { RedlockModule, type RedlockModuleOptions } from '../../src/index.js';
import { BusyDelay, busyDelayOf } from '../../src/services/busy-delay.service.js';
import { StoppedScheduler } from '../../src/testing/stopped-scheduler.js';
import { RecordingLogger } from './recording-logger.js';

/** What an application of a test is made of, besides the scheduler. */
export interface Parts extends Omit<ModuleMetadata, 'exports'> {
  /** The options of `RedlockModule.forRoot`; `null` for no `RedlockModule`. Default: a memory of its own. */
  redlock?: RedlockModuleOptions | null;
  /** Default: one that keeps all to itself. */
  logger?: LoggerService;
  /** Default: the time of the system. */
  clock?: Clock;
}

/** Compiles an application, and does not start it. */
export async function build(parts: Parts): Promise<TestingModule> {
  const {
    redlock = { nodes: 'memory' },
    logger = new RecordingLogger(),
    clock,
    imports = [],
    ...rest
  } = parts;
  const modules = redlock === null ? [] : [RedlockModule.forRoot(redlock)];
  const builder = Test.createTestingModule({
    ...rest,
    imports: [ScheduleModule.forRoot(), ...modules, ...imports],
  }).setLogger(logger);
  if (clock) {
    builder.overrideProvider(CLOCK).useValue(clock);
    // Nothing fires by the time of the system.
    builder.overrideProvider(SchedulerRegistry).useClass(StoppedScheduler);
    // How busy the process of the tests is must not matter to a clock that is moved by hand.
    builder.overrideProvider(BusyDelay).useValue({ of: (runs: number) => busyDelayOf(runs, 0) });
  }
  return builder.compile();
}

/** Compiles and starts an application; it is closed after the test. */
export async function start(parts: Parts): Promise<TestingModule> {
  const app = await build(parts);
  await app.init();
  closeAfterTest(app);
  return app;
}

/** Starts `count` applications of the same parts: a fleet in one process. */
export function startFleet(count: number, parts: Parts): Promise<TestingModule[]> {
  return Promise.all(Array.from({ length: count }, () => start(parts)));
}

/**
 * Lets a cron job fire as the scheduler does. With `waitForCompletion` in the options of its `@Cron`, this resolves
 * when the run is over, or lost.
 */
export function fire(app: TestingModule, job: string): Promise<void> {
  return app.get(SchedulerRegistry).getCronJob(job).fireOnTick();
}

/** The name and the options of a cron job that fires by hand: its time is the first second of each year. */
export const ONCE_A_YEAR = '0 0 1 1 *';
export const byHand = (name: string) => ({ name, timeZone: 'UTC', waitForCompletion: true });

/** The tick of a job that fires by hand. */
export const newYear = (): Date => new Date(Date.UTC(new Date().getUTCFullYear(), 0, 1));

/** Closes an application before the end of its test. */
export function close(app: TestingModule): Promise<void> {
  return closeNow(app);
}
