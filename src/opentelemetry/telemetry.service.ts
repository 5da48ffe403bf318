import {
  type Abstract,
  Inject,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { Clock } from '../clock.js';
import { InvalidOptionError } from '../errors.js';
import type { ResolvedOptions } from '../options/options.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { JobCallers } from '../services/job-callers.service.js';
import { JobRecords } from '../services/job-records.service.js';
import { KnownJobs } from '../services/known-jobs.service.js';
import { LeaseRegistry } from '../services/lease-registry.service.js';
import { NodeHealthWatch } from '../services/node-health-watch.service.js';
import { RedlockEvents } from '../services/redlock-events.service.js';
import { RunExecutor } from '../services/run-executor.service.js';
import { EventMetrics } from './event-metrics.js';
import { InstanceMetrics } from './instance-metrics.js';
import type { LabelOf } from './job-attributes.js';
import { LastSuccesses } from './last-successes.js';
import { RunEnds } from './run-ends.js';
import { RunSpans } from './run-spans.js';

/** The module, as messages name it. */
export const TELEMETRY = 'RedlockTelemetryModule';
export const TELEMETRY_OPTIONS = Symbol('TELEMETRY_OPTIONS');

/** Connects every `RedlockModule` of the application with OpenTelemetry. */
@Injectable()
export class Telemetry implements OnModuleInit, OnApplicationShutdown {
  private readonly labelOf: LabelOf;
  private readonly spans: RunSpans;
  private readonly ends: RunEnds[] = [];
  private instance: InstanceMetrics | undefined;

  constructor(
    private readonly modules: ModuleRef,
    @Inject(TELEMETRY_OPTIONS) { tenants }: { readonly tenants: boolean },
  ) {
    this.labelOf = tenants ? ({ name }) => name : ({ pattern }) => pattern;
    this.spans = new RunSpans(this.labelOf);
  }

  /** @throws InvalidOptionError if there is no `RedlockModule`, or if this module is imported twice. */
  onModuleInit(): void {
    // All enabled `RedlockModule`s have the same nodes. One that is not enabled does not use them.
    const options = this.all<ResolvedOptions>(RESOLVED_OPTIONS);
    const chosen = Math.max(
      0,
      options.findIndex(({ enabled }) => enabled),
    );
    const clock = this.all<Clock>(CLOCK)[chosen];
    const records = this.all(JobRecords)[chosen];
    const nodes = this.all(NodeHealthWatch)[chosen];
    if (!clock || !records || !nodes) {
      throw new InvalidOptionError(
        TELEMETRY,
        'imports',
        'of AppModule must contain RedlockModule.forRoot(...)',
      );
    }
    const executors = this.all(RunExecutor);
    if (executors.some(({ around }) => around)) {
      throw new InvalidOptionError(
        TELEMETRY,
        'imports',
        'of the application must contain it only once: with two, each run would be counted twice',
      );
    }
    const metrics = new EventMetrics(this.labelOf, clock);
    const successes = new LastSuccesses(this.all(KnownJobs), this.all(JobCallers), records, clock);
    for (const events of this.all(RedlockEvents)) {
      events.on('started', (event) => metrics.started(event));
      events.on('skipped', (event) => metrics.skipped(event));
      events.on('missed', (event) => metrics.missed(event));
      this.ends.push(new RunEnds(events, clock, [metrics.ended, successes.ended, this.spans.end]));
    }
    for (const executor of executors) executor.around = this.spans.around;
    const leases = this.all(LeaseRegistry);
    // Nothing would stop the metrics of an application that has been closed while it starts.
    if (leases.some(({ isClosed }) => isClosed)) return;
    this.instance = new InstanceMetrics(this.labelOf, successes, leases, nodes);
  }

  /** All other modules have been destroyed: a run that has not stopped by now is cut off. */
  onApplicationShutdown(): void {
    for (const ends of this.ends) ends.cutOff();
    this.instance?.stop();
  }

  /** The provider of each `RedlockModule`. */
  private all<T>(token: Type<T> | Abstract<T> | symbol): T[] {
    try {
      return this.modules.get<T>(token, { strict: false, each: true });
    } catch {
      return [];
    }
  }
}
