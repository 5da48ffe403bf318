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
import { quoted } from '../errors.js';
import { RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../options/options.js';
import { ExclusiveJobs } from './exclusive-jobs.service.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { NodeInspection } from './node-inspection.service.js';
import { Recovery } from './recovery.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** The shutdowns that wait for runs, of all applications in this process: Node.js warns of more than ten listeners. */
const waiting = new Set<AbortController>();
const hurryAll = (): void => waiting.forEach((hurry) => hurry.abort());
/** How many names a line of the log has. */
const NAMED = 10;

/**
 * Initialized after all other modules of the application and destroyed before them: Nest orders modules by their
 * distance from the root module, and this module gets the lowest distance. Its hooks call every `RedlockModule`.
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

/** What happens at startup and at shutdown, in this order. */
@Injectable()
export class Lifecycle implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('RedlockModule');

  constructor(
    hooks: InnermostHooks,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly firings: SchedulerFirings,
    private readonly jobs: ExclusiveJobs,
    private readonly nodes: NodeInspection,
    private readonly recovery: Recovery,
    private readonly leases: LeaseRegistry,
  ) {
    hooks.add(this);
  }

  /**
   * Before any other module starts, because a cron job may fire while other modules are starting.
   *
   * @throws InvalidOptionError for an invalid job, and for nodes that cannot form a quorum.
   */
  async onModuleInit(): Promise<void> {
    this.firings.watch();
    try {
      // Nest does not close an application that failed to start.
      const names = this.jobs.check();
      await this.nodes.open();
      if (this.options.enabled) this.sayWhatIsGuarded(names);
    } catch (error) {
      await this.nodes.close();
      throw error;
    }
  }

  /** Once the application has started: looks for ticks whose instance died, and prepares the upcoming ones. */
  started(): void {
    if (!this.options.enabled) return;
    this.recovery.start();
    void this.jobs.prepareTicks();
  }

  /** At shutdown: no new runs, then up to `shutdownTimeout` for the runs in progress. Another signal ends the wait. */
  async drain(): Promise<void> {
    this.leases.close();
    const names = this.leases.runs.map(({ name }) => name);
    if (names.length > 0) {
      this.logger.log(
        `Waiting up to ${this.options.shutdownTimeout} ms for runs in progress: ${listed(names)}`,
      );
    }
    const hurry = new AbortController();
    if (waiting.size === 0) for (const signal of SIGNALS) process.on(signal, hurryAll);
    waiting.add(hurry);
    await this.leases.drain(this.options.shutdownTimeout, hurry.signal);
    waiting.delete(hurry);
    if (waiting.size === 0) for (const signal of SIGNALS) process.off(signal, hurryAll);
  }

  /** Runs after all other modules, which may still release locks. */
  async onApplicationShutdown(): Promise<void> {
    await this.leases.end();
    await this.nodes.close();
  }

  private sayWhatIsGuarded(names: readonly string[]): void {
    const { keyPrefix, instanceId } = this.options;
    const jobs = names.length === 1 ? '1 job' : `${names.length} jobs`;
    this.logger.log(
      `Guarding ${jobs}${names.length > 0 ? ` (${listed(names)})` : ''} on ${this.nodes.addresses}, ` +
        `key prefix ${quoted(keyPrefix)}, as instance ${quoted(instanceId)}`,
    );
  }
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return [...names.slice(0, NAMED).map(quoted), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}
