import { Inject, Injectable, Logger } from '@nestjs/common';
import { isDown, withoutQuorum } from '../acquire/outcome.js';
import type { Clock, Timer } from '../clock.js';
import { quoted } from '../display.js';
import { StoreDownError } from '../errors.js';
import { logFailure } from '../in-background.js';
import { decodePause } from '../records/job-pause.js';
import type { MergedView } from '../records/merged-view.js';
import { recordedSchedule } from '../records/recorded-schedule.js';
import { isRunOf } from '../records/run-record.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { LONGEST_TIMER } from '../options/duration.js';
import type { ResolvedOptions } from '../options/options.js';
import type { RunRequest } from '../runs/run-request.js';
import { spreadDelay, spreadOf } from '../runs/spread.js';
import type { Tick } from '../schedule/cron-ticks.js';
import { leastGap } from '../schedule/due-times.js';
import type { CronFiring } from '../schedule/firing.js';
import type { CronSchedule } from '../schedule/schedule-of.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { Heartbeat } from './heartbeat.service.js';
import { JobRecords } from './job-records.service.js';
import { JobRunner } from './job-runner.service.js';
import { KnownJobs } from './known-jobs.service.js';
import { Recovery } from './recovery.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** After how long to look at a job again if the nodes have answered too late, in milliseconds. */
const AFTER_LATE_ANSWERS = 500;

/** A job whose missed ticks are made up for, or whose claims are spread. */
interface Candidate extends DeclaredJob {
  readonly schedule: CronSchedule;
}

/**
 * Makes up for the latest missed tick of the jobs with `missed`. For jobs with `spread`, it also claims a tick that was
 * due before this instance was up, or before the cron job started, and whose offset has not passed yet: when it
 * has passed, the instances that are waiting to claim that tick may all be gone.
 */
@Injectable()
export class CatchUp {
  private readonly logger = new Logger('RedlockModule');
  /** Since when this instance claims the ticks of each job itself, by name, in milliseconds since the epoch. */
  private readonly since = new Map<string, number>();
  /** The jobs with `missed` or `spread`, by name. Kept, because finding them means going through all declared jobs. */
  private readonly candidates = new Map<string, Candidate>();
  /**
   * The jobs to look at again: paused jobs (each with a timer if the pause ends by itself), jobs whose claim may
   * succeed later, and jobs that could not be claimed or read (each with a timer if the answers were only late).
   */
  private readonly waiting = new Map<string, Timer | undefined>();
  /** The jobs that the nodes cannot vote or report on, although they do so on others. The log has a line on each. */
  private readonly unread = new Set<string>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: ExclusiveJobs,
    private readonly firings: SchedulerFirings,
    private readonly records: JobRecords,
    private readonly runner: JobRunner,
    private readonly recovery: Recovery,
    private readonly known: KnownJobs,
    private readonly heartbeat: Heartbeat,
  ) {}

  /** Looks for missed ticks of all jobs: when the application has started, and when a quorum votes again. */
  look(): void {
    for (const job of this.jobs.declared()) this.add(job, !this.since.has(job.name));
    for (const name of this.candidates.keys()) this.lookFor(name);
  }

  /** Looks for a missed tick of a job whose cron job has just started. */
  started(job: DeclaredJob): void {
    this.add(job, true);
    this.lookFor(job.name);
  }

  /** Looks for a missed tick of this job, in the background. */
  lookFor(name: string): void {
    const job = this.candidates.get(name);
    if (job) void this.lookAt(job).catch((error: unknown) => this.failed(name, error));
    else this.waiting.delete(name);
  }

  /** A tick of this job was skipped because the job is paused. */
  paused(name: string): void {
    if (!this.waiting.has(name)) this.lookFor(name);
  }

  /** A tick of this job was skipped because the nodes cannot vote on it, although they vote on others. */
  refused(name: string): void {
    if (!this.candidates.has(name)) return;
    this.unread.add(name);
    if (!this.waiting.has(name)) this.waiting.set(name, undefined);
  }

  /** Looks again at the jobs that wait: another instance may have resumed them, and their claims may succeed now. */
  lookAtWaiting(): void {
    for (const name of this.waiting.keys()) this.lookFor(name);
  }

  /** At shutdown: a pause can last for weeks, and the timer for its end would keep the application in memory. */
  stop(): void {
    for (const timer of this.waiting.values()) this.clock.clearTimeout(timer);
    this.waiting.clear();
  }

  /** @param isNew Whether this instance begins only now to claim the ticks of the job. */
  private add(job: DeclaredJob, isNew: boolean): void {
    if (!job.isOwn) return;
    const { name, schedule, options } = job;
    const { missed, spread, defaultSpread } = options;
    if (isNew) this.since.set(name, this.clock.now());
    const isSpread = isNew && (spread ?? defaultSpread) !== undefined;
    if (schedule.kind === 'cron' && (missed !== undefined || isSpread))
      this.candidates.set(name, { ...job, schedule });
  }

  private async lookAt(job: Candidate): Promise<void> {
    await this.clock.turn();
    const { name, options, call, schedule } = job;
    // If the scheduler is off, or the job may be stopped, this instance is not meant to run it.
    if (!this.firings.callsAll(schedule)) return;
    const { ticks } = schedule;
    const pending = this.pendingTick(job);
    if (options.missed === undefined && !pending) return void this.candidates.delete(name);
    // While the job is paused, this view is read on each beat, without records: they may be many, and are read when the
    // pause is over.
    const { pause: found } = await this.records.quorumView(name, 0);
    const pause = decodePause(found, this.clock.now());
    this.clock.clearTimeout(this.waiting.get(name));
    this.waiting.delete(name);
    if (pause) return void this.waiting.set(name, this.lookAgain(name, pause.until?.getTime()));
    // A tick that was begun cannot be taken over once a later one is settled.
    if (options.recover) await this.recovery.search(job, schedule);
    const view = await this.records.quorumView(name, options.history);
    this.unread.delete(name);
    // Later ticks are claimed by the scheduler's calls.
    if (options.missed === undefined) this.candidates.delete(name);
    const now = this.clock.now();
    const tick = ticks.latest(now);
    if (!tick || this.isDelayed(job, tick, now)) return;
    const isPending = tick.at === pending?.at;
    if (now - tick.at > (options.missed ?? 0) && !isPending) return;
    if (!this.isMissed(job, tick, view)) return;
    // If a run was in progress when the tick was to be claimed, the instances have skipped the tick because of it.
    if (options.overlap === 'skip' && !isPending && wasRunning(this.claimTime(job, tick), view)) return;
    const firing = (): CronFiring => this.firings.ofCron(call, ticks, tick);
    const outcome = await this.runner.runUncalled(requestOf(job, tick), firing, call);
    // Another run may hold the lock, or the clock of a node may not have reached the end of the pause.
    if (outcome === 'unknown') {
      this.candidates.set(name, job);
      if (!this.waiting.has(name)) this.waiting.set(name, undefined);
    }
    ticks.prepareSoon(this.clock);
  }

  private failed(name: string, error: unknown): void {
    if (!(error instanceof StoreDownError))
      return logFailure(`Looking for missed ticks of ${quoted(name)}`, error);
    const denial = withoutQuorum(error.causes, this.options.nodes.length);
    const { isOfOneLock } = denial;
    // `look` is called when a quorum votes again.
    if (isDown(denial)) return this.heartbeat.suspect();
    // The answers were only late: only this job is looked at again.
    if (!isOfOneLock) {
      this.clock.clearTimeout(this.waiting.get(name));
      this.waiting.set(name, this.lookAgain(name, this.clock.now() + AFTER_LATE_ANSWERS));
      return;
    }
    if (!this.waiting.has(name)) this.waiting.set(name, undefined);
    if (this.unread.has(name)) return;
    this.unread.add(name);
    this.logger.warn(`Missed ticks of ${quoted(name)} cannot be looked for: ${error.message}`);
  }

  /**
   * A tick that was due before this instance began to claim the ticks of the job, and is not to be claimed yet
   * (`spread`).
   */
  private pendingTick(job: Candidate): Tick | undefined {
    const now = this.clock.now();
    const tick = job.schedule.ticks.latest(now);
    if (!tick || this.wasClaiming(job, tick)) return undefined;
    return now < this.claimTime(job, tick) ? tick : undefined;
  }

  /** When a tick is claimed: with `spread`, later than it is due. In milliseconds since the epoch. */
  private claimTime(job: Candidate, tick: Tick): number {
    return tick.at + spreadDelay(this.options.keyPrefix, requestOf(job, tick), tick.at);
  }

  /** Whether this instance was claiming the ticks of the job when this one was due. */
  private wasClaiming({ name }: Candidate, { at }: Tick): boolean {
    return at >= (this.since.get(name) ?? Number.POSITIVE_INFINITY);
  }

  /**
   * Whether this instance was claiming the ticks of the job when this one was due, and the scheduler's call here is
   * still waiting to claim it (`spread`).
   */
  private isDelayed(job: Candidate, tick: Tick, now: number): boolean {
    return this.wasClaiming(job, tick) && now < this.claimTime(job, tick);
  }

  /** Looks again at the time `at`, such as when a pause ends by itself. */
  private lookAgain(name: string, at: number | undefined): Timer | undefined {
    if (at === undefined || !this.jobs.isOpen) return undefined;
    const delay = Math.min(at - this.clock.now() + 1, LONGEST_TIMER);
    return this.clock.setTimeout(() => this.lookFor(name), delay).unref();
  }

  /**
   * Whether a tick was due under the same schedule as the last one that ran, was not begun, and is not left out by
   * `every`. The nodes may have lost data: what this instance remembers counts, too.
   */
  private isMissed(
    { name, options, schedule }: Candidate,
    { at }: Tick,
    { last, records }: MergedView,
  ): boolean {
    if (last === undefined || at <= last || at < this.firings.followedSince(schedule)) return false;
    if (at <= (this.known.get(name)?.begun ?? Number.NEGATIVE_INFINITY)) return false;
    if (records.some((record) => isRunOf(at, record))) return false;
    const newest = records.find((record) => isRunOf(last, record));
    if (newest?.schedule !== recordedSchedule(schedule.ticks, options)) return false;
    return options.every === undefined || at >= newest.startedAt.getTime() + leastGap(options.every);
  }
}

/** Whether a run was in progress at a time, in milliseconds since the epoch. */
function wasRunning(at: number, { running, records }: MergedView): boolean {
  if (running && running.calledAt <= at) return true;
  return records.some(
    ({ startedAt, duration }) => startedAt.getTime() <= at && at <= startedAt.getTime() + (duration ?? 0),
  );
}

/** The request to run a tick that no call by the scheduler claims. */
function requestOf({ name, options, schedule: { ticks } }: Candidate, tick: Tick): RunRequest {
  return { name, options, tick, ticks, spread: spreadOf(name, options, ticks), trigger: 'catch-up' };
}
