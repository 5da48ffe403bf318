import { Inject, Injectable, Logger } from '@nestjs/common';
import { Acquirer } from '../acquire/acquirer.js';
import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { JobKeys } from '../nodes/job-keys.js';
import type { ResolvedOptions } from '../options/options.js';
import { decodePause, endOfPause } from '../records/job-pause.js';
import type { OverdueJob } from '../records/health.js';
import type { MergedView } from '../records/merged-view.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { dueAfter, dueAfterIdle } from '../schedule/due-times.js';
import { JobCallers } from './job-callers.service.js';
import { JobRecords } from './job-records.service.js';
import { JobStatuses, newestKnown, newestRun, RECORDS } from './job-statuses.service.js';
import { type KnownJob, KnownJobs } from './known-jobs.service.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { NodeHealthWatch } from './node-health-watch.service.js';
import { RedlockEvents } from './redlock-events.service.js';

/** How late a job must at least be to count as overdue, in milliseconds, unless `overdueAfter` is set. */
const LEAST = 5 * 60 * 1000;
/** How long a reported silence is remembered, in milliseconds, so that no other instance reports it: seven days. */
const REPORTED_FOR = 7 * 24 * 60 * 60 * 1000;
/** How many jobs are logged as overdue in one outage: without a quorum, each instance reports each of them. */
const LOGGED_IN_OUTAGE = 20;
/** How many jobs whose progress is not known are looked up in one round. */
const LOOKUPS = 100;

/** A period in which a run has been due, and no instance has begun it. */
interface Silence {
  /** When the run was due, in milliseconds since the epoch. */
  readonly expected: number;
  /** Whether this instance or another one has reported it. */
  isReported: boolean;
}

/**
 * Notices jobs that run on no instance at all, and reports each silence once. `overdueBy` of a `JobStatus` is set much
 * earlier: about a second after the run was due, later with `spread` (see `job-statuses.service.ts`).
 */
@Injectable()
export class OverdueJobs {
  private readonly logger = new Logger('RedlockModule');
  /** The silences that this instance has noticed, by the name of the job. */
  private readonly silences = new Map<string, Silence>();
  /** When the next run after the newest known one is due, for each job: kept, because `cron` takes time to answer. */
  private readonly due = new WeakMap<
    KnownJob,
    { readonly progress: number; readonly idleUntil: number; readonly at: number }
  >();
  private isChecking = false;
  /** How many jobs this instance has reported in the present outage. */
  private reportsInOutage = 0;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: KnownJobs,
    private readonly statuses: JobStatuses,
    private readonly records: JobRecords,
    private readonly acquirer: Acquirer,
    private readonly callers: JobCallers,
    private readonly leases: LeaseRegistry,
    private readonly events: RedlockEvents,
    private readonly health: NodeHealthWatch,
  ) {}

  /** The jobs that are overdue now, as far as this instance knows, and by how many milliseconds. */
  get current(): OverdueJob[] {
    return [...this.silences].map(([name, { expected }]) => ({ name, by: this.statuses.lateBy(expected) }));
  }

  /** Looks for overdue jobs. Asks the nodes only about those that may be. */
  async check(): Promise<void> {
    if (this.isChecking) return;
    this.isChecking = true;
    try {
      await this.checkAll();
    } finally {
      this.isChecking = false;
    }
  }

  private async checkAll(): Promise<void> {
    let lookups = LOOKUPS;
    if (this.health.isAnswered) this.reportsInOutage = 0;
    for (const name of this.silences.keys()) if (!this.jobs.get(name)) this.silences.delete(name);
    for (const job of this.jobs.all()) {
      if (job.isInner || this.callers.isStopped(job) || this.callers.isLeftOut(job)) {
        // If the job is called again, its ticks count from then on.
        job.idleUntil = this.clock.now();
        this.silences.delete(job.name);
      } else if (job.progress === undefined) {
        // Most jobs run before they can be overdue, and a run tells as much as a lookup would.
        const isNew = this.clock.now() - job.since <= (job.options.overdueAfter ?? LEAST);
        if (!isNew && lookups-- > 0) await this.look(job);
      } else if (await this.mayBeLate(job, job.progress)) {
        await this.look(job);
      } else {
        this.silences.delete(job.name);
      }
    }
  }

  /** Whether a job is late, as far as is known here. */
  private async mayBeLate(job: KnownJob, progress: number): Promise<boolean> {
    const { options, idleUntil = progress } = job;
    if (this.clock.now() - Math.max(progress, idleUntil) <= (options.overdueAfter ?? LEAST)) return false;
    let due = this.due.get(job);
    if (due?.progress !== progress || due.idleUntil !== idleUntil) {
      // Each question to `cron` takes time.
      await this.clock.turn();
      due = { progress, idleUntil, at: dueAfterIdle(job, progress, idleUntil) };
      this.due.set(job, due);
    }
    return this.isLate(job, due.at);
  }

  private async look(job: KnownJob): Promise<void> {
    const { name } = job;
    const now = this.clock.now();
    let expected: number | undefined;
    let shared: number | undefined;
    try {
      const view = await this.records.view(name, RECORDS);
      expected = this.statuses.expected(job, view);
      const newest = newestRun(job, view) ?? job.since;
      shared = sharedDue(job, view, now);
      job.progress = Math.max(job.progress ?? newest, newest);
      const idleUntil = view.running ? now : endOfPause(view.pause, now);
      if (idleUntil !== undefined) job.idleUntil = Math.max(job.idleUntil ?? idleUntil, idleUntil);
      const paused = decodePause(view.pause, now);
      job.pausedUntil = paused ? (paused.until?.getTime() ?? Number.POSITIVE_INFINITY) : undefined;
      // A run in progress is no silence, and a pause is intended.
      if (view.running || paused) expected = undefined;
    } catch {
      // Without an answer, the check relies on what this instance knows.
      if (this.leases.runs.some((lease) => lease.name === name)) job.idleUntil = now;
      const { since, progress = since, idleUntil = since, pausedUntil = since } = job;
      if (pausedUntil <= now) expected = dueAfterIdle(job, progress, Math.max(idleUntil, pausedUntil));
    }
    if (expected === undefined || !this.isLate(job, expected)) return void this.silences.delete(name);
    const before = this.silences.get(name);
    const silence = before?.expected === expected ? before : { expected, isReported: false };
    if (silence.isReported) return;
    this.silences.set(name, silence);
    // What an instance expects may depend on when it lost its last claim, and on what it has seen of runs and pauses.
    // So instances identify a silence by `shared`, if that is known.
    const isFirst = await this.isFirst(name, shared ?? expected);
    // If the nodes could not tell, perhaps no instance has reported it: the next check asks again.
    silence.isReported = isFirst !== undefined;
    if (isFirst) this.report(job, expected);
  }

  private isLate(job: KnownJob, expected: number): boolean {
    const { overdueAfter } = job.options;
    const late = this.statuses.lateBy(expected);
    if (late <= (overdueAfter ?? LEAST)) return false;
    return overdueAfter !== undefined || late > 2 * (dueAfter(job, expected) - expected);
  }

  /**
   * Whether no instance has reported this silence yet; `undefined` if the nodes cannot tell. Without a quorum, each
   * instance reports it.
   *
   * @param due What stands for the silence: see `sharedDue`.
   */
  private async isFirst(name: string, due: number): Promise<boolean | undefined> {
    const lock = new JobKeys(this.options.keyPrefix, name).overdue(due);
    const answer = await this.acquirer.takeOnce(lock, REPORTED_FOR);
    const isOutage = answer.kind === 'denied' && answer.reason === 'store-down';
    if (isOutage) this.reportsInOutage++;
    else if (answer.kind === 'granted') this.reportsInOutage = 0;
    if (isOutage || answer.kind === 'granted') return true;
    return answer.holder === undefined ? undefined : false;
  }

  private report({ name, pattern }: KnownJob, at: number): void {
    const by = this.statuses.lateBy(at);
    const { instanceId } = this.options;
    if (this.reportsInOutage <= LOGGED_IN_OUTAGE) {
      this.logger.warn(
        `${quoted(name)} is overdue: no instance has run it since it was due at ${new Date(at).toISOString()}, ` +
          `${Math.round(by / 1000)} s ago`,
      );
    } else if (this.reportsInOutage === LOGGED_IN_OUTAGE + 1) {
      this.logger.warn('More jobs are overdue: health() lists all of them');
    }
    this.events.emit('overdue', { name, pattern, instanceId, expected: new Date(at), by });
  }
}

/**
 * When the run after the newest one was due, in milliseconds since the epoch. Where possible, it is computed only from
 * what all instances know, so that all of them identify a silence in the same way. `undefined` if they know of no run.
 */
function sharedDue(job: KnownJob, view: MergedView, now: number): number | undefined {
  const never = Number.NEGATIVE_INFINITY;
  const { history, overlap } = job.options;
  // With these options, no record shows that a run is in progress, or has died. This instance may have noticed that it
  // began.
  const begun = history === 0 || overlap === 'allow' ? job.begun : undefined;
  const newest = Math.max(newestKnown(job, view) ?? never, begun ?? never);
  return newest === never ? undefined : dueAfterIdle(job, newest, endOfPause(view.pause, now) ?? never);
}
