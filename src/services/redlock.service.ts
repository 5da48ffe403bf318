import { Inject, Injectable } from '@nestjs/common';
import { JobKeys } from '../nodes/job-keys.js';
import { StoreDownError } from '../errors.js';
import type { Clock } from '../clock.js';
import { callback, checkedOptions } from '../checks.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../options/options.js';
import { resolveJobOptions } from '../options/resolve-options.js';
import {
  eventName,
  type HistoryOptions,
  lockChecks,
  type LockOptions,
  type PauseOptions,
  runChecks,
  type RunOptions,
} from '../options/service-options.js';
import type { FleetInstance } from '../records/fleet-card.js';
import type { Health } from '../records/health.js';
import type { DeclaredJobInfo, JobStatus } from '../records/job-status.js';
import type { RunRecord } from '../records/run-record.js';
import { jobName } from '../decorators/job-name.js';
import { currentFiring } from '../schedule/firing.js';
import type { RunOutcome } from '../runs/run-outcome.js';
import { JobRunner } from './job-runner.service.js';
import { HeldLock, type RedlockLock } from '../runs/held-lock.js';
import { Lease } from '../runs/lease.js';
import { LeaseRegistry } from './lease-registry.service.js';
import type { RedlockEventMap, RedlockListener } from '../events/events.js';
import { Operations } from './operations.service.js';
import { RedlockEvents } from './redlock-events.service.js';
import { spreadIn, spreadOf } from '../runs/spread.js';
import { type CurrentRun, ownRun, RunScope } from '../runs/run-context.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** Locks, and runs under locks, for code outside decorated methods; and the means to observe and control jobs. */
@Injectable()
export class RedlockService {
  // Private at run time, not only for the compiler: these fields refer to the nodes, and so to their passwords.
  readonly #options: ResolvedOptions;
  readonly #clock: Clock;
  readonly #leases: LeaseRegistry;
  readonly #runner: JobRunner;
  readonly #events: RedlockEvents;
  readonly #firings: SchedulerFirings;
  readonly #operations: Operations;
  readonly #lockChecks;
  readonly #runChecks;

  /** @internal */
  constructor(
    @Inject(RESOLVED_OPTIONS) options: ResolvedOptions,
    @Inject(CLOCK) clock: Clock,
    leases: LeaseRegistry,
    runner: JobRunner,
    events: RedlockEvents,
    firings: SchedulerFirings,
    operations: Operations,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#leases = leases;
    this.#runner = runner;
    this.#events = events;
    this.#firings = firings;
    this.#operations = operations;
    const { nodeTimeout } = options;
    this.#lockChecks = lockChecks(nodeTimeout);
    this.#runChecks = runChecks(nodeTimeout);
  }

  /**
   * Acquires a lock. Resolves to `null` if another claim holds it, if no majority of the nodes answers in time, or
   * after all other modules have shut down (until then, their shutdown hooks may still lock). The lock is renewed until
   * it is released, the application is closed, or the process ends: release it in a `finally`, or with `await using`.
   *
   * @throws InvalidOptionError for an invalid name or option.
   * @throws StoreDownError without a quorum, if the module has `onStoreDown: 'throw'`.
   */
  async lock(name: string, options: LockOptions = {}): Promise<RedlockLock | null> {
    const { nodeTimeout, job, keyPrefix } = this.#options;
    jobName('lock()', 'name', name);
    const { ttl = job.ttl, wait = 0 } = checkedOptions('lock()', options, this.#lockChecks);
    const claim = { name, lock: new JobKeys(keyPrefix, name).lock };
    const settings = { name, ttl, maxRuntime: undefined };
    const answer = await this.#leases.acquire(claim, settings, { wait });
    if (answer instanceof Lease) return new HeldLock(answer, nodeTimeout);
    if (answer.reason === 'store-down' && job.onStoreDown === 'throw')
      throw new StoreDownError(name, answer.causes);
    return null;
  }

  /**
   * Runs `routine` unless another run of `name` is in progress, under a lock that is renewed until it ends. If the
   * calling cron job is passed as `job`, each of its ticks runs once across the fleet:
   *
   * ```ts
   * const job = new CronJob('0 * * * *', async () => {
   *   await redlock.run('hourly', () => work(), { job });
   * });
   * ```
   *
   * In a run of `name`, `routine` is part of that run, and no lock is claimed.
   *
   * @returns `{ ran: true, value }`, or `{ ran: false, reason }`.
   * @throws What `routine` throws; InvalidOptionError for an invalid name or option, and if `routine` returns an
   * Observable or a generator, whose work would begin after the lock is released; StoreDownError without a quorum, if
   * `onStoreDown` is `'throw'`; ShutdownError if the shutdown refuses a retry, or a call inside a run of this firing.
   */
  async run<T>(
    name: string,
    routine: (run: CurrentRun) => T,
    options: RunOptions = {},
  ): Promise<RunOutcome<Awaited<T>>> {
    jobName('run()', 'name', name);
    callback('run()', 'routine', routine);
    const { job, ...checked } = checkedOptions('run()', options, this.#runChecks);
    const jobOptions = resolveJobOptions('run()', checked, this.#options.job);
    const own = ownRun(this.#options, () => name);
    if (own) return { ran: true, value: await routine(own) };
    const request = { name, options: jobOptions };
    const current = currentFiring();
    const firing = current?.kind === 'cron' ? current : undefined;
    if (!job || firing?.source === job) {
      const spread = firing && spreadIn('run()', jobOptions, firing);
      return this.#runner.run({ ...request, firing, spread }, routine);
    }
    const ticks = this.#firings.ticks.of(job.cronTime);
    const tick = ticks.latest(this.#clock.now());
    ticks.prepareSoon(this.#clock);
    const spread = spreadOf('run()', jobOptions, ticks);
    return this.#runner.run({ ...request, source: job, tick, ticks, spread }, routine);
  }

  /**
   * The run that the caller is part of, across everything that it awaits; `undefined` outside a run. Code that a run
   * has started, such as a timer, still gets that run after the run has ended.
   */
  current(): CurrentRun | undefined {
    return RunScope.current();
  }

  /**
   * The recorded runs of a job on all instances, newest first. They include a run that was begun and never settled, as
   * `'died'`, once its lease has ended.
   *
   * @throws InvalidOptionError for an invalid name or option; StoreDownError if no node answers.
   */
  async history(name: string, options: HistoryOptions = {}): Promise<RunRecord[]> {
    return this.#operations.history(name, options);
  }

  /**
   * When a job last ran, when it is due next, and whether it is running, late or paused.
   *
   * @throws InvalidOptionError for an invalid name; StoreDownError if no node answers.
   */
  async status(name: string): Promise<JobStatus> {
    return this.#operations.status(name);
  }

  /** The jobs that this instance declares with `@Exclusive`, with their schedules and options. */
  jobs(): DeclaredJobInfo[] {
    return this.#operations.jobs();
  }

  /**
   * The next ticks of a job, within the next eight years; empty if this instance knows no schedule for it. This method
   * asks no node, so it does not know the last run: an interval is counted from now, and ticks that `every` will leave
   * out are listed, too. `status` tells when the job is due next.
   *
   * @param amount How many. Default: 10. A rare schedule may have fewer.
   * @throws InvalidOptionError for an invalid name or amount.
   */
  preview(name: string, amount = 10): Date[] {
    return this.#operations.preview(name, amount);
  }

  /**
   * The instances that have been up within the last 35 s, oldest first.
   *
   * @throws StoreDownError if no node answers.
   */
  async fleet(): Promise<FleetInstance[]> {
    return this.#operations.fleet();
  }

  /** Asks all nodes now. Never rejects. For a readiness probe, not for a liveness probe. */
  async health(): Promise<Health> {
    return this.#operations.health();
  }

  /**
   * Pauses a job on all instances, including those that start later: its ticks are skipped as `'paused'`. A run in
   * progress continues; plain calls and `trigger` still run.
   *
   * @throws InvalidOptionError for an invalid name or option, and with `enabled: false`; StoreDownError if no majority
   * of the nodes confirms it.
   */
  async pause(name: string, options: PauseOptions = {}): Promise<void> {
    await this.#operations.pause(name, options);
  }

  /**
   * Ends the pause of a job.
   *
   * @throws InvalidOptionError for an invalid name, and with `enabled: false`; StoreDownError if no majority of the
   * nodes confirms it.
   */
  async resume(name: string): Promise<void> {
    await this.#operations.resume(name);
  }

  /** Pauses all jobs that this instance declares under a fixed name. For options and errors, see `pause`. */
  async pauseAll(options: PauseOptions = {}): Promise<void> {
    await this.#operations.pauseAll(options);
  }

  /** Ends the pauses of all jobs that this instance declares under a fixed name. For errors, see `resume`. */
  async resumeAll(): Promise<void> {
    await this.#operations.resumeAll();
  }

  /**
   * Runs a job now, whatever its schedule says, even if it is paused. If another run of the job is in progress, it does
   * not run, unless `overlap` is `'allow'`. This instance must declare the job. If the name of the job depends on the
   * arguments of the method, pass them.
   *
   * @returns `{ ran: true, value }`, or `{ ran: false, reason }`.
   * @throws What the method throws; InvalidOptionError if this instance does not declare the job, if its provider is
   * transient or depends on the request, or if a decorator above `@Exclusive` has not called it; StoreDownError without
   * a quorum, if `onStoreDown` is `'throw'`.
   */
  async trigger(name: string, ...args: unknown[]): Promise<RunOutcome<unknown>> {
    return this.#operations.trigger(name, args);
  }

  /**
   * Calls `listener` each time this instance emits `event`: `started`, `finished`, `failed`, `skipped`, `aborted`,
   * `missed`, `overdue` or `drift`. If a listener throws, the error is logged, and nothing else is affected.
   *
   * @returns A function that removes the listener.
   * @throws InvalidOptionError for an unknown event, or if `listener` is not a function.
   */
  on<Name extends keyof RedlockEventMap>(event: Name, listener: RedlockListener<Name>): () => void {
    eventName('on()', 'event', event);
    callback('on()', 'listener', listener);
    return this.#events.on(event, listener);
  }
}
