import type { ModuleMetadata } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { InvalidOptionError } from '../errors.js';
import { CLOCK, MODULE_OPTIONS_TOKEN, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { type Duration, milliseconds } from '../options/duration.js';
import type { NodeOption, RedlockModuleOptions } from '../options/options.js';
import { refuseUnknown, resolveOptions } from '../options/resolve-options.js';
import { type FiredRun, ScheduledMethod } from './scheduled-method.js';
import { SharedMemory } from './shared-memory.js';
import { StoppedScheduler } from './stopped-scheduler.js';

/** How a `TestFleet` differs from the application. */
export interface TestFleetOptions {
  /** The number of instances to start. Default: 2. */
  instances?: number;
  /** The initial time of the fleet's clock. Default: the current time. */
  now?: Date;
  /**
   * Where the locks live, such as `'redis://localhost:6379'`. Redis has its own clock: a tick that is not due by it is
   * waited for. Default: memory that the instances share, on the fleet's clock.
   */
  nodes?: NodeOption | readonly NodeOption[];
  /** Overrides parts of an instance before it starts: `(app) => app.overrideProvider(Mailer).useValue(mailer)`. */
  override?: (app: TestingModuleBuilder, instance: number) => unknown;
}

const FLEET_OPTIONS: readonly (keyof TestFleetOptions)[] = ['instances', 'now', 'nodes', 'override'];

interface Clock {
  /** The current time, in milliseconds since the epoch. */
  time: number;
}

/**
 * Several instances of an application in this process, for tests of its jobs. Nothing fires by itself: cron jobs,
 * intervals and timeouts are stopped, `fire` calls them, and the clock that determines the tick stands still in
 * between. Needs `@nestjs/testing`.
 *
 * @example
 * ```ts
 * const fleet = await TestFleet.create(AppModule, { instances: 3 });
 * const runs = await fleet.fire('report');
 * expect(runs.filter(({ ran }) => ran)).toHaveLength(1);
 * await fleet.close();
 * ```
 */
export class TestFleet {
  private firings = 0;

  private constructor(
    /** The instances: `fleet.instances[0].get(ReportService)`. */
    readonly instances: readonly TestingModule[],
    private readonly clock: Clock,
    private readonly memory: SharedMemory,
  ) {}

  /**
   * Starts the instances of an application with `app.init()`: no port is opened.
   *
   * @param module The root module, as passed to `NestFactory`. Its `RedlockModule` keeps all options except `nodes`.
   * @throws InvalidOptionError if `instances` is not a positive integer, or for an unknown option; otherwise, what the
   * application throws when it starts, once the instances that did start have been closed.
   */
  static async create(
    module: NonNullable<ModuleMetadata['imports']>[number],
    options: TestFleetOptions = {},
  ): Promise<TestFleet> {
    refuseUnknown('TestFleet: ', options, FLEET_OPTIONS);
    const { instances = 2, now = new Date(), nodes, override = () => {} } = options;
    if (!Number.isInteger(instances) || instances < 1) {
      throw new InvalidOptionError('instances', instances, 'give a whole number from 1 on');
    }
    const clock: Clock = { time: now.getTime() };
    if (Number.isNaN(clock.time)) throw new InvalidOptionError('now', now, 'use a Date');
    const memory = new SharedMemory(() => clock.time);
    const start = async (instance: number): Promise<TestingModule> => {
      const builder = Test.createTestingModule({ imports: [module] })
        .overrideProvider(CLOCK)
        .useValue(() => clock.time)
        .overrideProvider(RESOLVED_OPTIONS)
        .useFactory({
          inject: [MODULE_OPTIONS_TOKEN],
          factory: (given: RedlockModuleOptions) =>
            resolveOptions({ ...given, nodes: nodes ?? memory.forInstance() }),
        })
        .overrideProvider(SchedulerRegistry)
        .useClass(StoppedScheduler);
      await override(builder, instance);
      const app = await builder.compile();
      return app.init();
    };
    const starts = await Promise.allSettled(Array.from({ length: instances }, (_, index) => start(index)));
    const apps = starts.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const failure = starts.find((outcome) => outcome.status === 'rejected');
    if (!failure) return new TestFleet(apps, clock, memory);
    await Promise.all(apps.map((app) => app.close()));
    throw failure.reason;
  }

  /** The current time of the fleet. */
  get now(): Date {
    return new Date(this.clock.time);
  }

  /**
   * Lets time pass without firing anything. Runs in progress keep their locks, as if they had been renewed.
   *
   * @param duration Milliseconds, or a string such as `'10m'`; at most 24 days.
   * @throws InvalidOptionError for anything else.
   */
  advance(duration: Duration): void {
    this.moveTo(this.clock.time + milliseconds('duration', duration));
  }

  /**
   * Moves the clock, then fires the job on all instances, with the same call that the scheduler makes. The instances
   * take turns at going first.
   *
   * @param job The name in `@Exclusive`, or `ClassName.method`.
   * @param at The time to move to, not before `now`; with `@Cron`, the latest tick up to then is fired. Default: the
   * next time of its `@Cron`; for `@Interval`, `now` plus the interval; otherwise `now`.
   * @returns What each instance did, in the order of `instances`, once all calls are over.
   * @throws Error for a job that does not exist, or that nothing schedules; InvalidOptionError for an `at` in the past.
   */
  async fire(job: string, at?: Date): Promise<FiredRun[]> {
    const methods = this.instances.map((app, index) => ScheduledMethod.find(app, index, job));
    const next = Math.max(...methods.map((method) => method.next(this.clock.time)));
    if (at && !(at.getTime() >= this.clock.time)) {
      throw new InvalidOptionError(
        'at',
        at,
        `use a Date from ${this.now.toISOString()} on, the time of the fleet`,
      );
    }
    this.moveTo(at ? at.getTime() : next);
    const first = this.firings++ % methods.length;
    const inTurn = [...methods.slice(first), ...methods.slice(0, first)];
    const runs = await Promise.all(inTurn.map((method) => method.call()));
    return runs.toSorted((a, b) => a.instance - b.instance);
  }

  /** Closes all instances, each as `app.close()` does. */
  async close(): Promise<void> {
    await Promise.all(this.instances.map((app) => app.close()));
  }

  private moveTo(time: number): void {
    if (!(time >= this.clock.time)) {
      throw new InvalidOptionError(
        'at',
        time,
        `use a Date from the time of the fleet on, ${this.clock.time}`,
      );
    }
    this.clock.time = time;
    this.memory.renewAll();
  }
}
