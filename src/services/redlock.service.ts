import { Inject, Injectable } from '@nestjs/common';
import type { CronJob } from 'cron';
import { JobKeys } from '../nodes/job-keys.js';
import { InvalidOptionError, StoreDownError } from '../errors.js';
import type { Clock } from '../clock.js';
import { callback, type Check, checkedOptions, oneOf } from '../options/checks.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { type Duration, lease as leaseOf, milliseconds } from '../options/duration.js';
import type { JobOptions, ResolvedOptions } from '../options/options.js';
import { jobChecks, resolveJobOptions } from '../options/resolve-options.js';
import { jobName } from '../decorators/exclusive-method.js';
import { currentFiring } from '../schedule/firing.js';
import type { RunOutcome } from '../runs/run-outcome.js';
import { JobRunner } from './job-runner.service.js';
import { Lease } from '../runs/lease.js';
import { LeaseRegistry } from './lease-registry.service.js';
import type { RedlockEventMap, RedlockListener } from '../runs/run-event.js';
import { RedlockEvents } from './redlock-events.service.js';
import { type CurrentRun, runContext } from '../runs/run-context.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** Options of `RedlockService.lock`. */
export interface LockOptions {
  /**
   * The lease: how long the lock outlives a process that dies. At least three times the module's `nodeTimeout`.
   * Default: the module's `ttl`.
   */
  ttl?: Duration;
  /** How long to keep trying while another claim holds the lock. Default: no retry. */
  wait?: Duration;
}

/** Options of `RedlockService.run`. */
export interface RunOptions extends JobOptions {
  /**
   * The calling cron job, if it is not in `SchedulerRegistry`: this run is then for its latest tick, and each tick runs
   * once. A job in the registry is recognized without it.
   */
  job?: CronJob;
}

/** A lock that this instance holds, renewed until it is released. */
export interface RedlockLock extends AsyncDisposable {
  /** The name that was locked. */
  readonly name: string;
  /** When the lock expires if it is not renewed again, by the clock of this process. Each renewal moves it. */
  readonly expiresAt: Date;
  /** Aborts before another instance can acquire the lock: with a `LockLostError`, or a `ShutdownError` at shutdown. */
  readonly signal: AbortSignal;
  /**
   * Renews the lock now, and uses `ttl` (milliseconds or a duration; default: the current ttl) from now on.
   *
   * @throws LockLostError if the lock is lost or released, or no majority of the nodes renews it; InvalidOptionError
   * for a `ttl` below three times `nodeTimeout`. Once `signal` has aborted: its reason.
   */
  extend(ttl?: Duration): Promise<void>;
  /** Releases the lock. A second call does nothing. Never throws: a failure is logged; the lock ends with its lease. */
  release(): Promise<void>;
}

/** Locks, and runs under locks, for code outside decorated methods. */
@Injectable()
export class RedlockService {
  // Private at run time, not only for the compiler: these fields lead to the nodes, and so to their passwords.
  readonly #options: ResolvedOptions;
  readonly #clock: Clock;
  readonly #leases: LeaseRegistry;
  readonly #runner: JobRunner;
  readonly #events: RedlockEvents;
  readonly #firings: SchedulerFirings;
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
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#leases = leases;
    this.#runner = runner;
    this.#events = events;
    this.#firings = firings;
    const { nodeTimeout } = options;
    this.#lockChecks = { ttl: leaseOf(nodeTimeout), wait: milliseconds } satisfies ChecksOf<LockOptions>;
    this.#runChecks = { ...jobChecks(nodeTimeout), job: cronJob } satisfies ChecksOf<RunOptions>;
  }

  /**
   * Acquires a lock. Resolves to `null` if another claim holds it, or if no majority of the nodes answers in time. The
   * lock is renewed until it is released or the process ends: release it in a `finally`, or with `await using`.
   *
   * @throws InvalidOptionError for an invalid name or option.
   * @throws StoreDownError without a quorum, if the module has `onStoreDown: 'throw'`.
   */
  async lock(name: string, options: LockOptions = {}): Promise<RedlockLock | null> {
    const { nodeTimeout, job, keyPrefix } = this.#options;
    jobName('lock()', 'name', name);
    const { ttl = job.ttl, wait = 0 } = checkedOptions('lock()', options, this.#lockChecks);
    const claim = { name, lock: new JobKeys(keyPrefix, name).lock };
    const settings = { name, ttl, maxRuntime: undefined, isRun: false };
    const answer = await this.#leases.acquire(claim, settings, wait);
    if (answer instanceof Lease) return new HeldLock(answer, nodeTimeout);
    if (answer.reason === 'store-down' && job.onStoreDown === 'throw')
      throw new StoreDownError(name, answer.causes);
    return null;
  }

  /**
   * Runs `routine` unless another run of `name` is in progress, under a lock that is renewed until it ends. With the
   * calling `job`, each of its ticks runs once over the fleet:
   *
   * ```ts
   * const job = new CronJob('0 * * * *', async () => {
   *   await redlock.run('hourly', () => work(), { job });
   * });
   * ```
   *
   * @returns `{ ran: true, value }`, or `{ ran: false, reason }`.
   * @throws What `routine` throws; InvalidOptionError for an invalid name or option; StoreDownError without a
   * quorum, if `onStoreDown` is `'throw'`.
   */
  async run<T>(
    name: string,
    routine: (run: CurrentRun) => T,
    options: RunOptions = {},
  ): Promise<RunOutcome<Awaited<T>>> {
    jobName('run()', 'name', name);
    callback('run()', 'routine', routine);
    const { job, ...checked } = checkedOptions('run()', options, this.#runChecks);
    const request = { name, options: resolveJobOptions('run()', checked, this.#options.job) };
    const current = currentFiring();
    const firing = current?.kind === 'cron' ? current : undefined;
    if (!job || firing?.source === job) return this.#runner.run({ ...request, firing }, routine);
    const ticks = this.#firings.ticks.of(job.cronTime);
    const tick = ticks.latest(this.#clock.now());
    ticks.prepareSoon(this.#clock);
    return this.#runner.run({ ...request, tick }, routine);
  }

  /** The run that the caller is part of, across everything that it awaits; `undefined` outside a run. */
  current(): CurrentRun | undefined {
    return runContext.getStore();
  }

  /**
   * Calls `listener` for each event of this instance: `started`, `finished`, `failed`, `skipped` or `aborted`. If a
   * listener throws, the error is logged, and nothing else is affected.
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

type ChecksOf<Options> = Record<keyof Options, Check<unknown>>;

const EVENTS: Readonly<Record<keyof RedlockEventMap, true>> = {
  started: true,
  finished: true,
  failed: true,
  skipped: true,
  aborted: true,
};
const eventName = oneOf(...(Object.keys(EVENTS) as (keyof RedlockEventMap)[]));

/** A cron job, from any copy of `cron`. */
const cronJob: Check<CronJob> = (where, option, value) => {
  const { cronTime } = Object(value) as { cronTime?: unknown };
  const { getNextDateFrom } = Object(cronTime) as { getNextDateFrom?: unknown };
  if (typeof getNextDateFrom === 'function') return value as CronJob;
  throw new InvalidOptionError(where, option, 'must be a CronJob', { received: value });
};

class HeldLock implements RedlockLock {
  readonly name: string;
  readonly #lease: Lease;
  readonly #nodeTimeout: number;

  constructor(lease: Lease, nodeTimeout: number) {
    this.name = lease.name;
    this.#lease = lease;
    this.#nodeTimeout = nodeTimeout;
  }

  get signal(): AbortSignal {
    return this.#lease.signal;
  }

  get expiresAt(): Date {
    return this.#lease.expiresAt;
  }

  // Own functions, so that they can be destructured from the lock.
  readonly extend = async (ttl?: Duration): Promise<void> =>
    this.#lease.extend(ttl === undefined ? undefined : leaseOf(this.#nodeTimeout)('extend()', 'ttl', ttl));
  readonly release = (): Promise<void> => this.#lease.end('release');
  readonly [Symbol.asyncDispose] = this.release;
}
