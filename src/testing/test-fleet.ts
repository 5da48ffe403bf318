import type { ModuleMetadata } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { InvalidOptionError } from '../errors.js';
import { systemClock } from '../clock.js';
import { CLOCK, MODULE_OPTIONS_TOKEN, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import {
  anything,
  callback,
  type Check,
  checkedOptions,
  date,
  givenOptions,
  MODULE,
  readable,
  wholeNumber,
} from '../options/checks.js';
import { type Duration, milliseconds } from '../options/duration.js';
import type { NodeOption } from '../options/options.js';
import { MODULE_OPTIONS, resolveOptions } from '../options/resolve-options.js';
import { MemoryNode } from '../nodes/memory-node.js';
import type { NodeReport } from '../nodes/lock-node.js';
import { BusyDelay } from '../services/busy-delay.service.js';
import { Fleet } from '../services/fleet.service.js';
import { Lifecycle } from '../services/lifecycle.service.js';
import { SchedulerFirings } from '../services/scheduler-firings.service.js';
import { ManualClock } from './manual-clock.js';
import { type FiredRun, ScheduledMethod } from './scheduled-method.js';
import { StoppedFirings } from './stopped-firings.js';
import { StoppedScheduler } from './stopped-scheduler.js';

/** How a `TestFleet` differs from the application. */
export interface TestFleetOptions {
  /** The number of instances to start. Default: 2. */
  instances?: number;
  /** The initial time of the fleet's clock. Default: the current time. */
  now?: Date;
  /**
   * Where the locks live, such as `'redis://localhost:6379'`. Redis has its own clock: `fire` waits until the tick is
   * due by that clock, and leases and timeouts take real time. Default: memory that the instances share, on the fleet's
   * clock.
   */
  nodes?: NodeOption | readonly NodeOption[];
  /** Overrides parts of an instance before it starts: `(app) => app.overrideProvider(Mailer).useValue(mailer)`. */
  override?: (app: TestingModuleBuilder, instance: number) => unknown;
}

const CREATE = 'TestFleet.create()';
const FIRE = 'TestFleet.fire()';
/** More instances than this in one process are a mistake. */
const MOST_INSTANCES = 1000;

/** The part of an instance that registers it, unless the application has no `RedlockModule`. */
function fleetOf(app: TestingModule): Fleet | undefined {
  try {
    return app.get(Fleet, { strict: false });
  } catch {
    return undefined;
  }
}

/** Whether Nest can import it: a class, a dynamic module, a promise of one, or a forward reference. */
function isModule(value: unknown): boolean {
  if (typeof value === 'function') return typeof value.prototype === 'object';
  const { module, forwardRef, then } = Object(value) as Record<string, unknown>;
  return [module, forwardRef, then].some((part) => typeof part === 'function');
}

const FLEET_CHECKS = {
  instances: wholeNumber(1, MOST_INSTANCES),
  now: date,
  // Checked with the other options of the module.
  nodes: anything,
  override: callback,
} satisfies Record<keyof TestFleetOptions, Check<unknown>>;

/** The store that the instances share, on the clock that they share. */
class FleetMemory extends MemoryNode {
  override async open(): Promise<NodeReport> {
    return { ...(await super.open()), clockOffset: 0 };
  }
}

/**
 * Several instances of an application in this process, for tests of its jobs. Nothing fires by itself: cron jobs,
 * intervals and timeouts are stopped, `fire` calls them, and the clock of ticks and leases stands still in between.
 * Needs `@nestjs/testing`.
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
  /** The time that the clock was told to move to. */
  private target = 0;
  /** Resolves when the clock has come to the firing in progress. */
  private moving: Promise<void> | undefined;

  private constructor(
    /** The instances: `fleet.instances[0].get(ReportService)`. */
    readonly instances: readonly TestingModule[],
    private readonly clock: ManualClock,
  ) {}

  /**
   * Starts the instances of an application with `app.init()`: no port is opened.
   *
   * @param module The root module, as passed to `NestFactory`. Its `RedlockModule` keeps all options except `nodes`.
   * @throws InvalidOptionError for an invalid or unknown option; otherwise, what the application throws when it starts,
   * once all instances have been closed.
   */
  static async create(
    module: NonNullable<ModuleMetadata['imports']>[number],
    options: TestFleetOptions = {},
  ): Promise<TestFleet> {
    const {
      instances = 2,
      now = new Date(),
      nodes,
      ...checked
    } = checkedOptions(CREATE, options, FLEET_CHECKS);
    const override = checked.override as TestFleetOptions['override'];
    if (!readable(CREATE, 'module', () => isModule(module))) {
      throw new InvalidOptionError(CREATE, 'module', 'must be a module', { received: module });
    }
    const clock = new ManualClock(now.getTime());
    const memory = new FleetMemory(clock.now);
    const start = async (instance: number): Promise<TestingModule> => {
      const builder = Test.createTestingModule({ imports: [module] })
        .overrideProvider(CLOCK)
        .useValue(nodes === undefined ? clock : { ...systemClock, now: clock.now })
        .overrideProvider(RESOLVED_OPTIONS)
        .useFactory({
          inject: [MODULE_OPTIONS_TOKEN],
          factory: (given: unknown) =>
            resolveOptions({ ...givenOptions(MODULE, given, MODULE_OPTIONS), nodes: nodes ?? memory }),
        })
        // The instances take turns at going first, whichever is busy.
        .overrideProvider(BusyDelay)
        .useValue({ of: () => 0 })
        .overrideProvider(SchedulerRegistry)
        .useClass(StoppedScheduler)
        .overrideProvider(SchedulerFirings)
        .useClass(StoppedFirings);
      await override?.(builder, instance);
      const app = await builder.compile();
      try {
        await app.init();
      } catch (error) {
        await app.close().catch(() => {});
        throw error;
      }
      const fleet = fleetOf(app);
      fleet?.beatByHand();
      if (fleet) await app.get(Lifecycle, { strict: false }).prepared;
      return app;
    };
    const starts = await clock.until(
      Promise.allSettled(Array.from({ length: instances }, (_, index) => start(index))),
    );
    const apps = starts.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const failure = starts.find((outcome) => outcome.status === 'rejected');
    if (!failure) return new TestFleet(apps, clock);
    await clock.until(Promise.all(apps.map((app) => app.close())));
    throw failure.reason;
  }

  /** The current time of the fleet. */
  get now(): Date {
    return new Date(this.clock.now());
  }

  /**
   * Lets time pass without firing anything: runs in progress renew their locks, or reach their `maxRuntime`, ticks with
   * `recover` are taken over, and jobs that are overdue are noticed (the event `overdue`).
   *
   * @param duration Milliseconds, or a string such as `'10m'`; at most 24 days.
   * @throws InvalidOptionError for anything else.
   */
  async advance(duration: Duration): Promise<void> {
    const step = milliseconds('TestFleet.advance()', 'duration', duration);
    this.target = this.reached + step;
    // A firing that has just begun comes first.
    await this.moving;
    await this.clock.advance(this.target - this.clock.now());
    const looks = this.instances.map(async (app) => fleetOf(app)?.beatAndLook());
    await this.clock.until(Promise.all(looks));
  }

  /**
   * Moves the clock, then fires the job on all instances, with the same call that the scheduler makes. The instances
   * take turns at going first.
   *
   * @param job The name in `@Exclusive`, or `ClassName.method`.
   * @param at The time to move to, not before `now`; with `@Cron`, the latest tick up to then is fired. Default: the
   * next time of its `@Cron`; for `@Interval`, `now` plus the interval; otherwise `now`.
   * @returns What each instance did, in the order of `instances`, once all calls are over.
   * @throws InvalidOptionError for a job that does not exist, for a job with `@Cron` or `@Interval` that no scheduler
   * would fire, for a schedule that has ended, and for an `at` in the past.
   */
  async fire(job: string, at?: Date): Promise<FiredRun[]> {
    if (at !== undefined) date(FIRE, 'at', at);
    if (typeof job !== 'string') {
      throw new InvalidOptionError(FIRE, 'job', "must be the name of a job, such as 'report'", {
        received: job,
      });
    }
    const methods = this.instances.map((app, index) => ScheduledMethod.find(app, index, job));
    const now = this.reached;
    const next = Math.max(...methods.map((method) => method.next(now)));
    if (at && at.getTime() < now) {
      const right = `must not be before ${new Date(now).toISOString()}, the time of the fleet`;
      throw new InvalidOptionError(FIRE, 'at', right, { received: at });
    }
    this.target = at ? at.getTime() : next;
    const duration = this.target - this.clock.now();
    if (duration > 0) await (this.moving = this.clock.advance(duration));
    const first = this.firings++ % methods.length;
    const inTurn = [...methods.slice(first), ...methods.slice(0, first)];
    const calls = Promise.all(inTurn.map((method) => method.call()));
    const beats = Promise.all(this.instances.map(async (app) => fleetOf(app)?.beat()));
    const runs = await this.clock.until(calls);
    await this.clock.until(beats);
    return runs.toSorted((a, b) => a.instance - b.instance);
  }

  /** Closes all instances, each as `app.close()` does. */
  async close(): Promise<void> {
    await this.clock.until(Promise.all(this.instances.map((app) => app.close())));
  }

  /** The time of the fleet once the clock has moved as far as it was told to. */
  private get reached(): number {
    return Math.max(this.target, this.clock.now());
  }
}
