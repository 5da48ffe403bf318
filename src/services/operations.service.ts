import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { jobName, PATTERN_END } from '../decorators/job-name.js';
import { listed, quoted } from '../display.js';
import { checkedOptions } from '../checks.js';
import { historySize, LARGEST_HISTORY } from '../options/resolve-options.js';
import {
  HISTORY_CHECKS,
  type HistoryOptions,
  PAUSE_CHECKS,
  type PauseOptions,
} from '../options/service-options.js';
import type { FleetInstance } from '../records/fleet-card.js';
import type { Health } from '../records/health.js';
import type { DeclaredJobInfo, JobStatus } from '../records/job-status.js';
import type { RunRecord } from '../records/run-record.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { RunOutcome } from '../runs/run-outcome.js';
import { upcoming } from '../schedule/due-times.js';
import { Fleet } from './fleet.service.js';
import { JobCatalog } from './job-catalog.service.js';
import { JobRecords } from './job-records.service.js';
import { JobStatuses } from './job-statuses.service.js';
import { NodeHealthWatch } from './node-health-watch.service.js';
import { OverdueJobs } from './overdue-jobs.service.js';
import { Pauses } from './pauses.service.js';

/** What an operator can ask for and do. `RedlockService` calls these methods, and documents them. */
@Injectable()
export class Operations {
  private readonly logger = new Logger('RedlockModule');

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly declared: JobCatalog,
    private readonly records: JobRecords,
    private readonly statuses: JobStatuses,
    private readonly pauses: Pauses,
    private readonly instances: Fleet,
    private readonly nodes: NodeHealthWatch,
    private readonly overdue: OverdueJobs,
  ) {}

  async history(name: string, options: HistoryOptions): Promise<RunRecord[]> {
    jobName('history()', 'name', name);
    const { limit = LARGEST_HISTORY } = checkedOptions('history()', options, HISTORY_CHECKS);
    const { records } = await this.records.view(name, limit);
    return records.slice(0, limit);
  }

  async status(name: string): Promise<JobStatus> {
    jobName('status()', 'name', name);
    return this.statuses.status(name, this.declared.find(name));
  }

  jobs(): DeclaredJobInfo[] {
    return this.declared.list();
  }

  preview(name: string, amount: number): Date[] {
    jobName('preview()', 'name', name);
    historySize('preview()', 'amount', amount);
    const schedule = this.declared.find(name)?.schedule;
    return schedule === undefined ? [] : upcoming(schedule, this.clock.now(), amount);
  }

  fleet(): Promise<FleetInstance[]> {
    return this.instances.list();
  }

  async health(): Promise<Health> {
    await this.instances.beat();
    return { quorum: this.nodes.hasQuorum, nodes: this.nodes.all, overdue: this.overdue.current };
  }

  async pause(name: string, options: PauseOptions): Promise<void> {
    jobName('pause()', 'name', name);
    const { for: duration, note } = checkedOptions('pause()', options, PAUSE_CHECKS);
    await this.pauses.pause(name, duration, note);
    await this.warnIfUnknown(name);
  }

  async pauseAll(options: PauseOptions): Promise<void> {
    const { for: duration, note } = checkedOptions('pauseAll()', options, PAUSE_CHECKS);
    await Promise.all(this.names.map((name) => this.pauses.pause(name, duration, note)));
  }

  async resumeAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.pauses.resume(name)));
  }

  /** An operator may have mistyped the name. */
  private async warnIfUnknown(name: string): Promise<void> {
    if (this.declared.find(name)) return;
    const own = this.jobs().map((job) => job.name);
    const instances = await this.instances.list().catch(() => undefined);
    if (!instances) return;
    const names = [...new Set([...own, ...instances.flatMap(({ jobs }) => jobs.map((job) => job.name))])];
    // A name that depends on the arguments is not known before the call.
    if (names.includes(name) || names.some((each) => each.endsWith(PATTERN_END))) return;
    this.logger.warn(
      `Paused ${quoted(name)}, which no instance declares with @Exclusive (declared: ${listed(names) || 'none'})`,
    );
  }

  async resume(name: string): Promise<void> {
    jobName('resume()', 'name', name);
    await this.pauses.resume(name);
  }

  async trigger(name: string, args: readonly unknown[]): Promise<RunOutcome<unknown>> {
    jobName('trigger()', 'name', name);
    return this.declared.trigger(name, args);
  }

  /** The names that do not depend on the arguments of a call. */
  private get names(): string[] {
    return this.jobs().flatMap((job) => (job.isPattern ? [] : [job.name]));
  }
}
