import type { ModuleMetadata } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import { systemClock } from '../clock.js';
import { listed, shown } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { readOrRefuse } from '../checks.js';
import { type Duration, longMilliseconds } from '../options/duration.js';
import { MemoryNode } from '../nodes/memory-node.js';
import type { NodeReport } from '../nodes/lock-node.js';
import { checkedFleetOptions, fleetTime, isModule, type TestFleetOptions } from './fleet-options.js';
import { ManualClock } from './manual-clock.js';
import type { FiredRun, ScheduledMethod } from './scheduled-method.js';
import { TestInstance } from './test-instance.js';

const CREATE = 'TestFleet.create()';
const FIRE = 'TestFleet.fire()';

/** The store that the instances share, on the clock that they share. */
class FleetMemory extends MemoryNode {
  override async open(): Promise<NodeReport> {
    return { ...(await super.open()), clockOffset: 0 };
  }
}

/**
 * Several instances of an application in this process, for tests of its jobs. Nothing fires by itself: cron jobs,
 * intervals and timeouts are stopped, `fire` calls them, and the clock of ticks and leases stands still in between
 * (with the option `nodes`, leases take real time). Needs `@nestjs/testing`.
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
  /** Resolves when the clock has reached the time of the firing in progress. */
  private moving: Promise<void> | undefined;

  /** The instances: `fleet.instances[0].get(ReportService)`. */
  readonly instances: readonly TestingModule[];

  private constructor(
    private readonly started: readonly TestInstance[],
    private readonly clock: ManualClock,
  ) {
    this.instances = started.map(({ app }) => app);
  }

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
    const { instances = 2, now = new Date(), nodes, override } = checkedFleetOptions(CREATE, options);
    if (!readOrRefuse(CREATE, 'module', () => isModule(module))) {
      throw new InvalidOptionError(CREATE, 'module', 'must be a module', { received: module });
    }
    const clock = new ManualClock(now.getTime());
    const application =
      nodes === undefined
        ? { module, override, clock, nodes: new FleetMemory(clock.now) }
        : { module, override, clock: { ...systemClock, now: clock.now }, nodes };
    const starts = await clock.until(
      Promise.allSettled(
        Array.from({ length: instances }, (_, index) => TestInstance.start(application, index)),
      ),
    );
    const started = starts.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const failure = starts.find((outcome) => outcome.status === 'rejected');
    if (!failure) return new TestFleet(started, clock);
    await clock.until(Promise.all(started.map(({ app }) => app.close())));
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
   * @param duration Milliseconds, or a string such as `'10m'`; at most 366 days.
   * @throws InvalidOptionError for anything else.
   */
  async advance(duration: Duration): Promise<void> {
    const step = longMilliseconds('TestFleet.advance()', 'duration', duration);
    this.target = this.reached + step;
    // A firing that has just begun comes first.
    await this.moving;
    await this.clock.advance(this.target - this.clock.now());
    await this.clock.until(Promise.all(this.started.map((instance) => instance.beatAndLook())));
  }

  /**
   * Moves the clock, then fires the job on all instances, with the same call that the scheduler makes. The instances
   * take turns at going first.
   *
   * A method with `@Timeout`, or without a schedule, is called on all instances at the same time: it runs on one of
   * them. In a real fleet, each instance calls its `@Timeout` methods after it has started, so a short method can run
   * on all instances, one after the other.
   *
   * @param job The name in `@Exclusive`, or `ClassName.method`. If several objects have the method under several
   * names, one of these names.
   * @param at The time to move to, not before `now`; with `@Cron`, the latest tick up to then is fired. Default: the
   * next time of its `@Cron`; for `@Interval`, `now` plus the interval; otherwise `now`.
   * @returns What each instance did, in the order of `instances`, once all calls are over. Instances that make no call
   * are omitted: their scheduler would not fire the job, for example because its cron job was stopped there, or their
   * previous call is in progress, with `waitForCompletion`.
   * @throws InvalidOptionError for a job that does not exist, for a job with `@Cron` or `@Interval` that no scheduler
   * would fire, for a schedule that has ended, unless `at` is given, and for an `at` in the past, or more than eight
   * years after the date of this machine.
   */
  async fire(job: string, at?: Date): Promise<FiredRun[]> {
    if (at !== undefined) fleetTime(FIRE, 'at', at);
    if (typeof job !== 'string') {
      throw new InvalidOptionError(FIRE, 'job', "must be the name of a job, such as 'report'", {
        received: job,
      });
    }
    const methods = this.methodsOf(job);
    const now = this.reached;
    if (at && at.getTime() < now) {
      const right = `must not be before ${new Date(now).toISOString()}, the time of the fleet`;
      throw new InvalidOptionError(FIRE, 'at', right, { received: at });
    }
    const scheduled = methods.filter(({ isScheduled }) => isScheduled);
    this.target = at ? at.getTime() : Math.max(...scheduled.map((method) => method.next(now)));
    const duration = this.target - this.clock.now();
    if (duration > 0) await (this.moving = this.clock.advance(duration));
    const first = this.firings++ % methods.length;
    const inTurn = [...methods.slice(first), ...methods.slice(0, first)];
    const calls = Promise.all(inTurn.map((method) => method.call()));
    const beats = Promise.all(this.started.map((instance) => instance.beat()));
    const runs = await this.clock.until(calls);
    await this.clock.until(beats);
    return runs.filter((run) => run !== undefined).toSorted((a, b) => a.instance - b.instance);
  }

  /** Closes all instances, each as `app.close()` does. */
  async close(): Promise<void> {
    await this.clock.until(Promise.all(this.instances.map((app) => app.close())));
  }

  /**
   * The method of the job on each instance that declares it.
   *
   * @throws InvalidOptionError if no instance declares the job, or no scheduler would fire it.
   */
  private methodsOf(job: string): ScheduledMethod[] {
    const methods = this.started.flatMap((instance) => instance.find(job) ?? []);
    const [first] = methods;
    if (!first) {
      const known = new Set(this.started.flatMap(({ names }) => names));
      throw new InvalidOptionError(FIRE, 'job', `(known jobs: ${listed([...known]) || 'none'})`, {
        subject: `unknown job ${shown(job)}`,
      });
    }
    if (methods.some(({ isScheduled }) => isScheduled)) return methods;
    throw first.refusal(
      'is not scheduled: check that ScheduleModule.forRoot() is among the imports of AppModule, that the class is not ' +
        'request-scoped, that its prototype has no spy, and that the job is not disabled, delayed, stopped or deleted',
    );
  }

  /** The time of the fleet once the clock has moved as far as it was told to. */
  private get reached(): number {
    return Math.max(this.target, this.clock.now());
  }
}
