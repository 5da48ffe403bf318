import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { listed, quoted, redacted } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { inBackground, outsideCalls } from '../in-background.js';
import { MODULE } from '../checks.js';
import { isSameStore } from '../options/nodes-option.js';
import { RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { awaitSecondSignal } from '../second-signal.js';
import type { ResolvedOptions } from '../options/options.js';
import { CatchUp } from './catch-up.service.js';
import { ExclusiveJobs } from './exclusive-jobs.service.js';
import { FleetDrift } from './fleet-drift.service.js';
import { Heartbeat } from './heartbeat.service.js';
import { JobCatalog } from './job-catalog.service.js';
import { JobProgress } from './job-progress.service.js';
import { LateStarts } from './late-starts.service.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { NodeLifecycle } from './node-lifecycle.service.js';
import { OverdueJobs } from './overdue-jobs.service.js';
import { Pauses } from './pauses.service.js';
import { Recovery } from './recovery.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/**
 * Initialized after all other modules of the application and destroyed before them: Nest orders modules by their
 * distance from the root module, and `InnermostModule`, which provides this class, gets the lowest distance. These
 * hooks call the `Lifecycle` of every `RedlockModule`.
 */
@Injectable()
export class InnermostHooks implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly lifecycles: Lifecycle[] = [];

  constructor(private readonly modules: ModulesContainer) {
    // Nest caches the order at its first hook, so the constructor is early enough.
    this.place(InnermostHooks, -1);
  }

  add(lifecycle: Lifecycle): void {
    this.lifecycles.push(lifecycle);
    this.place(Lifecycle, Number.POSITIVE_INFINITY);
  }

  /**
   * Checks that all enabled `RedlockModule`s keep their locks in the same place: which of them guards a job depends on
   * which ones the module of that job can see.
   *
   * @throws InvalidOptionError if they do not.
   */
  checkAgreement(): void {
    const [first, ...others] = this.lifecycles.map(({ options }) => options).filter(({ enabled }) => enabled);
    for (const other of others) {
      const option = first?.keyPrefix === other.keyPrefix ? 'nodes' : 'keyPrefix';
      if (first && option === 'nodes' && isSameStore(first.nodes, other.nodes)) continue;
      throw new InvalidOptionError(
        MODULE,
        option,
        'must be the same wherever the module is imported: locks of one import would not exclude those of the other. ' +
          'Import RedlockModule.forRoot(...) once, in AppModule',
      );
    }
  }

  /** By now, everything that a run may need has started. */
  onApplicationBootstrap(): void {
    for (const lifecycle of this.lifecycles) lifecycle.started();
  }

  /** So far, nothing that a run may need has been closed. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.lifecycles.map((lifecycle) => lifecycle.drain()));
  }

  private place(provider: typeof InnermostHooks | typeof Lifecycle, distance: number): void {
    for (const module of this.modules.values()) {
      if (module.providers.has(provider)) module.distance = distance;
    }
  }
}

/** What happens at startup and at shutdown; the methods are in the order in which they run. */
@Injectable()
export class Lifecycle implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('RedlockModule');
  /** Resolves when all schedules are known, registration has begun, and the ticks are being prepared. */
  prepared: Promise<void> | undefined;

  constructor(
    private readonly hooks: InnermostHooks,
    @Inject(RESOLVED_OPTIONS) readonly options: ResolvedOptions,
    private readonly firings: SchedulerFirings,
    private readonly jobs: ExclusiveJobs,
    private readonly catalog: JobCatalog,
    private readonly nodes: NodeLifecycle,
    private readonly recovery: Recovery,
    private readonly leases: LeaseRegistry,
    private readonly heartbeat: Heartbeat,
    private readonly overdue: OverdueJobs,
    private readonly drift: FleetDrift,
    private readonly catchUp: CatchUp,
    private readonly pauses: Pauses,
    private readonly progress: JobProgress,
    private readonly lateStarts: LateStarts,
  ) {
    hooks.add(this);
  }

  /**
   * Before any other module starts, because a cron job may fire while other modules are starting.
   *
   * @throws InvalidOptionError for an invalid job, for imports of the module that keep their locks in different places,
   * and for a node that cannot vote or is listed twice.
   */
  async onModuleInit(): Promise<void> {
    this.firings.watch();
    try {
      this.hooks.checkAgreement();
      const names = this.jobs.check();
      await this.nodes.open();
      if (this.isInUse) this.sayWhatIsGuarded(names);
    } catch (error) {
      // Nest does not close an application that failed to start. Runs may be in progress.
      await this.drain();
      await this.onApplicationShutdown();
      throw error;
    }
  }

  /** Once the application has started: looks for ticks whose instance died, and prepares the upcoming ones. */
  started(): void {
    if (!this.isInUse) return;
    this.recovery.start();
    this.catchUp.look();
    this.heartbeat.onBeat = async () => {
      this.catchUp.lookAtWaiting();
      await this.overdue.check();
      await this.drift.check();
    };
    this.heartbeat.onQuorum = () => this.catchUp.look();
    this.leases.onOutage = () => this.heartbeat.suspect();
    this.progress.onPaused = (name) => outsideCalls(() => this.catchUp.paused(name));
    this.progress.onRefused = (name) => this.catchUp.refused(name);
    this.pauses.onChange = (name) => outsideCalls(() => this.catchUp.lookFor(name));
    this.firings.onStart = (keys) => this.lateStarts.add(keys);
    this.firings.onLoad.push(() => this.heartbeat.jobsLoaded());
    this.prepared = inBackground('Preparing the schedules', () => this.prepare());
  }

  private async prepare(): Promise<void> {
    await this.catalog.noteSchedules();
    if (this.isInUse) this.heartbeat.start();
  }

  /**
   * At shutdown: from now on, no new run may begin, except inside runs in progress. Waits up to `shutdownTimeout` for
   * those. Another signal ends the wait.
   */
  async drain(): Promise<void> {
    this.leases.close();
    this.heartbeat.stop();
    this.catchUp.stop();
    const { hurry, stopListening } = awaitSecondSignal();
    await this.leases.claimsDecided();
    const names = this.leases.runs.map(({ name }) => name);
    if (names.length > 0) {
      this.logger.log(
        `Waiting up to ${this.options.shutdownTimeout} ms for runs in progress: ${listed(names)}`,
      );
    }
    await this.leases.drain(this.options.shutdownTimeout, hurry);
    stopListening();
  }

  /** Called after this hook of all other modules, because they may still release locks in it. */
  async onApplicationShutdown(): Promise<void> {
    await this.leases.end();
    await this.nodes.close();
  }

  /** Whether there is anything to guard: the application may be closed while it starts. */
  private get isInUse(): boolean {
    return this.options.enabled && !this.leases.isClosed;
  }

  private sayWhatIsGuarded(names: readonly string[]): void {
    const { keyPrefix, instanceId } = this.options;
    const jobs = names.length === 1 ? '1 job' : `${names.length} jobs`;
    this.logger.log(
      `Guarding ${jobs}${names.length > 0 ? ` (${listed(names)})` : ''} on ${redacted(this.nodes.addresses)}, ` +
        `key prefix ${quoted(keyPrefix)}, as instance ${quoted(instanceId)}`,
    );
  }
}
