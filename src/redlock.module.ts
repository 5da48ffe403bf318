import { type DynamicModule, Logger, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { type Clock, systemClock } from './clock.js';
import { checkedAsyncOptions, createdBy } from './options/async-options.js';
import { boolean, givenOptions, MODULE } from './checks.js';
import { severalCopies } from './copies.js';
import { Acquirer } from './acquire/acquirer.js';
import type { LockNode } from './nodes/lock-node.js';
import { createStore } from './acquire/create-store.js';
import { tokensOf } from './acquire/token.js';
import {
  type ASYNC_OPTIONS_TYPE,
  CLOCK,
  ConfigurableModuleClass,
  LOCK_NODES,
  MODULE_OPTIONS_TOKEN,
  type OPTIONS_TYPE,
  RESOLVED_OPTIONS,
} from './redlock.module-definition.js';
import type { RedlockModuleOptions, ResolvedOptions } from './options/options.js';
import { MODULE_OPTIONS, resolveOptions } from './options/resolve-options.js';
import { withStackOfCaller } from './options/stack-of-caller.js';
import { Binding } from './services/binding.service.js';
import { BusyDelay } from './services/busy-delay.service.js';
import { CatchUp } from './services/catch-up.service.js';
import { ExclusiveJobs } from './services/exclusive-jobs.service.js';
import { JobRunner } from './services/job-runner.service.js';
import { Fleet } from './services/fleet.service.js';
import { FleetDrift } from './services/fleet-drift.service.js';
import { Heartbeat } from './services/heartbeat.service.js';
import { JobCallers } from './services/job-callers.service.js';
import { JobCatalog } from './services/job-catalog.service.js';
import { JobProgress } from './services/job-progress.service.js';
import { JobRecords } from './services/job-records.service.js';
import { JobStatuses } from './services/job-statuses.service.js';
import { KnownJobs } from './services/known-jobs.service.js';
import { LateStarts } from './services/late-starts.service.js';
import { LeaseRegistry } from './services/lease-registry.service.js';
import { InnermostHooks, Lifecycle } from './services/lifecycle.service.js';
import { MissedTicks } from './services/missed-ticks.service.js';
import { NodeHealthWatch } from './services/node-health-watch.service.js';
import { NodeLifecycle } from './services/node-lifecycle.service.js';
import { Operations } from './services/operations.service.js';
import { OperatorLog } from './services/operator-log.service.js';
import { OverdueJobs } from './services/overdue-jobs.service.js';
import { Pauses } from './services/pauses.service.js';
import { Recovery } from './services/recovery.service.js';
import { RedlockEvents } from './services/redlock-events.service.js';
import { RedlockService } from './services/redlock.service.js';
import { RunExecutor } from './services/run-executor.service.js';
import { SchedulerFirings } from './services/scheduler-firings.service.js';

/** Shared by all `RedlockModule`s of an application; its hooks run last at startup and first at shutdown. */
@Module({ providers: [InnermostHooks], exports: [InnermostHooks] })
export class InnermostModule {}

/**
 * Makes `@Exclusive` work, and provides `RedlockService`. Import it once, in the root module; it is global unless
 * `isGlobal` is `false`.
 */
@Module({
  imports: [DiscoveryModule, InnermostModule],
  providers: [
    {
      provide: RESOLVED_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: RedlockModuleOptions): ResolvedOptions => resolveOptions(options),
    },
    { provide: CLOCK, useValue: systemClock },
    {
      provide: LOCK_NODES,
      inject: [RESOLVED_OPTIONS],
      useFactory: ({ nodes, nodeTimeout, instanceId }: ResolvedOptions): LockNode[] =>
        nodes.map(({ create }) =>
          create({
            nodeTimeout,
            connectionName: `nestjs-exclusive:${instanceId}`,
            isAlone: nodes.length === 1,
          }),
        ),
    },
    {
      provide: Acquirer,
      inject: [LOCK_NODES, RESOLVED_OPTIONS, CLOCK],
      useFactory: (nodes: LockNode[], { nodeTimeout, instanceId }: ResolvedOptions, clock: Clock): Acquirer =>
        new Acquirer(createStore(nodes, clock, tokensOf(instanceId)), nodeTimeout, clock),
    },
    OperatorLog,
    NodeLifecycle,
    RedlockEvents,
    SchedulerFirings,
    Binding,
    BusyDelay,
    LeaseRegistry,
    JobRecords,
    KnownJobs,
    JobCallers,
    JobProgress,
    MissedTicks,
    RunExecutor,
    JobRunner,
    ExclusiveJobs,
    JobCatalog,
    Operations,
    RedlockService,
    Pauses,
    JobStatuses,
    OverdueJobs,
    NodeHealthWatch,
    Fleet,
    Heartbeat,
    FleetDrift,
    Recovery,
    CatchUp,
    LateStarts,
    Lifecycle,
  ],
  exports: [RedlockService, Binding],
})
export class RedlockModule extends ConfigurableModuleClass {
  /**
   * @param options Where the locks live, and the defaults for jobs.
   * @throws InvalidOptionError for an invalid option.
   */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return withStackOfCaller(RedlockModule, 'forRoot', () => {
      const { isGlobal = true, ...given } = givenOptions(MODULE, options, [...MODULE_OPTIONS, 'isGlobal']);
      boolean(MODULE, 'isGlobal', isGlobal);
      resolveOptions(given);
      // A factory hides the passwords of the nodes from whoever prints the module.
      return RedlockModule.forRootAsync({ isGlobal: isGlobal as boolean, useFactory: () => given });
    });
  }

  /**
   * Async configuration: `useFactory`, or `useClass` or `useExisting` with a `RedlockOptionsFactory`. Invalid options,
   * and those that depend on a request-scoped provider, are reported when the application starts, with an
   * `InvalidOptionError`.
   *
   * @throws InvalidOptionError for an unknown option, and unless exactly one of the three is set.
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    const checked = withStackOfCaller(RedlockModule, 'forRootAsync', () => checkedAsyncOptions(options));
    warnOfCopies();
    const { providers = [], ...definition } = super.forRootAsync(checked);
    if (checked.useFactory) return { ...definition, providers };
    const create = createdBy(checked.useClass ? 'useClass' : 'useExisting');
    return {
      ...definition,
      providers: providers.map((provider) =>
        'useFactory' in provider && provider.provide === MODULE_OPTIONS_TOKEN
          ? { ...provider, useFactory: create }
          : provider,
      ),
    };
  }
}

/** Called early: with two copies, NestJS may fail at startup with an unrelated error. */
function warnOfCopies(): void {
  const several = severalCopies();
  if (several !== undefined) new Logger('RedlockModule').warn(several);
}
