import type { ModuleMetadata } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import type { Clock } from '../clock.js';
import { type ExclusiveMethod, placeOf } from '../decorators/exclusive-method.js';
import { nameIfValid } from '../decorators/job-name.js';
import { listed } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { givenOptions, MODULE } from '../checks.js';
import type { NodeOption } from '../options/options.js';
import { MODULE_OPTIONS, resolveOptions } from '../options/resolve-options.js';
import { CLOCK, MODULE_OPTIONS_TOKEN, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { BusyDelay } from '../services/busy-delay.service.js';
import { ExclusiveJobs } from '../services/exclusive-jobs.service.js';
import { Fleet } from '../services/fleet.service.js';
import { Heartbeat } from '../services/heartbeat.service.js';
import { Lifecycle } from '../services/lifecycle.service.js';
import { RedlockEvents } from '../services/redlock-events.service.js';
import { SchedulerFirings } from '../services/scheduler-firings.service.js';
import { everyOf } from './every-of.js';
import type { TestFleetOptions } from './fleet-options.js';
import { ScheduledMethod } from './scheduled-method.js';
import { StoppedFirings } from './stopped-firings.js';
import { StoppedScheduler } from './stopped-scheduler.js';
import { WatchedEvents, WatchedJobs } from './watched-call.js';

/** What the instances of a fleet have in common. */
interface TestApplication {
  readonly module: NonNullable<ModuleMetadata['imports']>[number];
  readonly clock: Clock;
  readonly nodes: NodeOption | readonly NodeOption[];
  readonly override: TestFleetOptions['override'];
}

/** A decorated method of one object, as `fire` finds it. */
interface NamedMethod {
  readonly method: ExclusiveMethod;
  readonly instance: object;
  /** The name of the job when the scheduler calls it; `undefined` if it has none without arguments. */
  readonly name: string | undefined;
  readonly place: string;
}

/** One instance of a fleet. */
export class TestInstance {
  private readonly methods = new WeakMap<object, Map<ExclusiveMethod, ScheduledMethod>>();

  /** @param index Its index in the fleet. */
  private constructor(
    readonly app: TestingModule,
    private readonly index: number,
  ) {}

  /** Rejects with what the application throws when it starts, once it has been closed. */
  static async start(
    { module, clock, nodes, override }: TestApplication,
    index: number,
  ): Promise<TestInstance> {
    const builder = Test.createTestingModule({ imports: [module] })
      .overrideProvider(CLOCK)
      .useValue(clock)
      .overrideProvider(RESOLVED_OPTIONS)
      .useFactory({
        inject: [MODULE_OPTIONS_TOKEN],
        factory: (given: unknown) =>
          resolveOptions({ ...givenOptions(MODULE, given, MODULE_OPTIONS), nodes }),
      })
      // The instances take turns at going first, whichever is busy.
      .overrideProvider(BusyDelay)
      .useValue({ of: () => 0 })
      .overrideProvider(SchedulerRegistry)
      .useClass(StoppedScheduler)
      .overrideProvider(SchedulerFirings)
      .useClass(StoppedFirings)
      .overrideProvider(ExclusiveJobs)
      .useClass(WatchedJobs)
      .overrideProvider(RedlockEvents)
      .useClass(WatchedEvents);
    await override?.(builder, index);
    const app = await builder.compile();
    try {
      await app.init();
    } catch (error) {
      await app.close().catch(() => {});
      throw error;
    }
    closeOnce(app);
    for (const heartbeat of everyOf(app, Heartbeat)) heartbeat.beatByHand();
    for (const { prepared } of everyOf(app, Lifecycle)) await prepared;
    return new TestInstance(app, index);
  }

  /** Beats once for each import of the module. The clock makes no beats (see `Heartbeat.beatByHand`). */
  async beat(): Promise<void> {
    await Promise.all(everyOf(this.app, Fleet).map((fleet) => fleet.beat()));
  }

  /** Beats, and then looks for what each beat looks for, such as overdue jobs. */
  async beatAndLook(): Promise<void> {
    await Promise.all(everyOf(this.app, Heartbeat).map((heartbeat) => heartbeat.beatAndLook()));
  }

  /**
   * The method that `job` names: the name of a job, or `ClassName.method`; `undefined` if there is none.
   *
   * @throws InvalidOptionError if several objects have the method, under several names.
   */
  find(job: string): ScheduledMethod | undefined {
    const all = [...this.named()];
    const exact = all.filter(({ name }) => name === job);
    const found = exact.length > 0 ? exact : all.filter(({ place }) => place === job);
    const [first] = found;
    if (!first) return undefined;
    const names = [...new Set(found.map(({ name }) => name ?? job))];
    if (names.length > 1) {
      throw new InvalidOptionError(
        'TestFleet.fire()',
        'job',
        `must be the name of one of the jobs of this method: ${listed(names)}`,
        { received: job },
      );
    }
    return this.methodOf(first);
  }

  /** The names of the jobs that `find` finds, for messages. */
  get names(): string[] {
    return [...this.named()].map(({ method, name, place }) =>
      typeof method.name === 'function' ? place : (name ?? place),
    );
  }

  private methodOf({ instance, method }: NamedMethod): ScheduledMethod {
    const known = this.methods.get(instance) ?? new Map<ExclusiveMethod, ScheduledMethod>();
    const found = known.get(method) ?? new ScheduledMethod(this.app, this.index, instance, method);
    this.methods.set(instance, known.set(method, found));
    return found;
  }

  private *named(): Iterable<NamedMethod> {
    // Every import knows all decorated methods.
    for (const { method, instance } of everyOf(this.app, ExclusiveJobs)[0]?.all() ?? []) {
      const place = placeOf(instance, method.key);
      yield { method, instance, name: nameIfValid(method, instance, []), place };
    }
  }
}

/** A test may close an instance before the fleet does, and Nest would call the hooks of the application again. */
function closeOnce(app: TestingModule): void {
  const close = app.close.bind(app);
  let closed: Promise<void> | undefined;
  app.close = (signal) => (closed ??= close(signal));
}
