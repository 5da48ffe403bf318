import { debuglog } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { type Denial, isWinnerUnknown, mayComeLater } from '../acquire/outcome.js';
import { type ClaimedRun, uniqueId } from '../acquire/token.js';
import { claimOf } from '../runs/claim-builder.js';
import { timingOf } from '../runs/claim-timing.js';
import { type RunRequest, triggerOf } from '../runs/run-request.js';
import { quoted } from '../display.js';
import { ShutdownError, StoreDownError } from '../errors.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../options/options.js';
import type { RunOutcome } from '../runs/run-outcome.js';
import { fire, type Firing } from '../schedule/firing.js';
import { Lease } from '../runs/lease.js';
import { settingsOf } from '../runs/lease-settings.js';
import { JobProgress } from './job-progress.service.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { OperatorLog } from './operator-log.service.js';
import { MissedTicks } from './missed-ticks.service.js';
import { RunExecutor } from './run-executor.service.js';
import { type CurrentRun, outerRuns, RunScope } from '../runs/run-context.js';
import { runLoggingError, TakeoverTimers } from '../runs/takeover-timers.js';

type Answer = Lease | Denial;

/**
 * The claim for a name in a firing. Its answer decides all later calls of that name in the firing, unless the answer
 * leaves open who won: then the next call makes a new claim, which replaces this one.
 */
interface FiringClaim {
  readonly answer: Promise<Answer>;
  /** Whether a call has already run or lost because of it. */
  isUsed: boolean;
}

/** Shown with `NODE_DEBUG=nestjs-exclusive`: Nest prints debug lines by default, and losing is the normal case. */
const debug = debuglog('nestjs-exclusive');

/** Claims, runs and settles. */
@Injectable()
export class JobRunner {
  private readonly claims = new WeakMap<Firing, Map<string, FiringClaim>>();
  private readonly takeovers: TakeoverTimers;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly leases: LeaseRegistry,
    private readonly executor: RunExecutor,
    private readonly progress: JobProgress,
    private readonly missed: MissedTicks,
    private readonly log: OperatorLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.takeovers = new TakeoverTimers(clock);
  }

  /**
   * Runs `routine` if this instance wins. Rejects with what `routine` throws; with a `StoreDownError` without a
   * quorum, depending on `onStoreDown`; and with a `ShutdownError` if the shutdown refuses a retry, or a call inside a
   * run of the same firing.
   *
   * In a firing, the first call of a name claims its tick. If it wins, later calls, such as those of a retry, claim
   * only the lock; if it loses, they lose, too.
   */
  async run<T>(request: RunRequest, routine: (run: CurrentRun) => T): Promise<RunOutcome<Awaited<T>>> {
    const { firing, name } = request;
    if (!firing) return this.conclude(await this.acquire(request), request, routine);
    const inTick = firing.kind === 'cron' ? { ...request, tick: firing.tick, ticks: firing.ticks } : request;
    // A call inside a run of this firing belongs to that run: no other instance makes it.
    if (RunScope.wasWonIn(firing)) return this.runAgain(inTick, routine);
    const claims = this.claimsOf(firing);
    const known = claims.get(name);
    if (known?.isUsed) {
      let answer = await known.answer;
      // If it leaves open who won, the tick is claimed again: by the first of the calls that waited, for all of them.
      const newest = claims.get(name) ?? known;
      if (newest !== known) answer = await newest.answer;
      if (answer instanceof Lease) return this.runAgain(inTick, routine);
      if (!isWinnerUnknown(answer)) return { ran: false, reason: answer.reason };
      if (newest !== known) return this.conclude(answer, inTick, routine);
    }
    const claim = known && !known.isUsed ? known : { answer: this.acquire(inTick), isUsed: true };
    claim.isUsed = true;
    claims.set(name, claim);
    return this.conclude(await claim.answer, inTick, routine);
  }

  /**
   * Claims a tick without a call by the scheduler: a missed one, or one that another instance has begun and not settled
   * (at once if the lease of that run has ended, otherwise when it ends). If it wins, calls `method` in `firing`, and
   * the first call of the job in that firing uses the claim that was won.
   *
   * @returns `'unbegun'` if it is a takeover, and no instance has begun the tick; `'unknown'` if the nodes did not
   * answer, their votes stayed split, the lock is held, or the job is paused; otherwise `'done with'`.
   */
  async runUncalled(
    request: RunRequest,
    firing: () => Firing,
    method: () => unknown,
  ): Promise<'unbegun' | 'unknown' | 'done with'> {
    const { name } = request;
    const answer = await this.acquire(request);
    if (!(answer instanceof Lease)) {
      this.progress.lost(request, answer);
      if (answer.isUnbegun) return 'unbegun';
      if (mayComeLater(answer)) return 'unknown';
      const takeover: RunRequest = { ...request, past: 'perhaps begun' };
      this.takeovers.watch(request, answer, () => this.takeOverUncalled(takeover, firing, method));
      return 'done with';
    }
    const claim: FiringClaim = { answer: Promise.resolve(answer), isUsed: false };
    const now = firing();
    this.claimsOf(now).set(name, claim);
    await runLoggingError(request, () => fire(now, method));
    // A decorator above `@Exclusive` did not call the job, or will call it later: that call claims the tick by itself.
    if (!claim.isUsed) {
      this.claimsOf(now).delete(name);
      await answer.end('release');
    }
    return 'done with';
  }

  /**
   * Tries to take over the tick without a call by the scheduler, and again after each `ttl` for as long as the result
   * is `'unknown'`.
   */
  private async takeOverUncalled(
    request: RunRequest,
    firing: () => Firing,
    method: () => unknown,
  ): Promise<void> {
    const again = (): Promise<void> => this.takeOverUncalled(request, firing, method);
    if ((await this.runUncalled(request, firing, method)) === 'unknown')
      this.takeovers.later(request.options.ttl, request, again);
  }

  /** Runs `routine` under the lock alone, because this instance has begun the tick earlier in this firing. */
  private async runAgain<T>(
    request: RunRequest,
    routine: (run: CurrentRun) => T,
  ): Promise<RunOutcome<Awaited<T>>> {
    const again: RunRequest = { ...request, past: 'run here' };
    return this.conclude(await this.acquire(again), again, routine);
  }

  private acquire(request: RunRequest): Promise<Answer> {
    const { keyPrefix } = this.options;
    const run = this.runOf(request);
    return this.leases.acquire(
      claimOf(keyPrefix, request, run),
      settingsOf(request, run),
      timingOf(keyPrefix, request, this.clock.now(), outerRuns(this.options)),
    );
  }

  private async conclude<T>(
    answer: Answer,
    request: RunRequest,
    routine: (run: CurrentRun) => T,
  ): Promise<RunOutcome<Awaited<T>>> {
    const { name, options, tick, past } = request;
    if (answer instanceof Lease) {
      if (tick && answer.run?.trigger === 'recover') this.log.takenOver(name, tick, answer.before.dead);
      const value = this.executor.execute(answer, request, routine);
      // The routine starts first: bookkeeping must not delay it.
      const job = this.progress.won(request);
      if (job) this.missed.won(job, request, answer);
      return { ran: true, value: await value };
    }
    const isStoreDown = answer.reason === 'store-down';
    // Without a quorum, it is unknown whether a begun tick needs another run.
    const onStoreDown = past === 'perhaps begun' ? 'skip' : options.onStoreDown;
    if (isStoreDown && onStoreDown === 'run') {
      this.progress.unguarded(request);
      const lease = this.leases.unguarded(settingsOf(request, this.runOf(request)));
      return { ran: true, value: await this.executor.execute(lease, request, routine) };
    }
    // A takeover that is not needed is not reported: the tick was reported as skipped when it was lost.
    if (past !== 'perhaps begun') this.skip(request, answer);
    if (isStoreDown && onStoreDown === 'throw') throw new StoreDownError(name, answer.causes);
    // A retry would mistake `undefined` for a success.
    if (past === 'run here' && answer.reason === 'shutdown') throw new ShutdownError(name, 'call');
    if (past !== 'run here') this.takeovers.watch(request, answer, () => this.takeOver(request, routine));
    return { ran: false, reason: answer.reason };
  }

  /** Claims a lost tick again, in a firing of its own: in the original firing, later calls of the name lose, too. */
  private takeOver(request: RunRequest, routine: (run: CurrentRun) => unknown): Promise<unknown> {
    const firing = request.firing?.kind === 'cron' ? request.firing.again() : undefined;
    const takeover: RunRequest = { ...request, firing, past: 'perhaps begun' };
    const run = (): Promise<unknown> => this.run(takeover, routine);
    return firing ? fire(firing, run) : run();
  }

  private skip(request: RunRequest, answer: Denial): void {
    const { name, tick } = request;
    const { reason } = answer;
    debug(`Skipped ${quoted(name)}${tick ? ` of ${new Date(tick.at).toISOString()}` : ''}: ${reason}`);
    this.executor.skipped(request, reason);
    this.progress.skipped(request, answer);
    // A later call of the same firing is not logged: the tick has been run.
    if (request.past === 'run here') return;
    if (reason !== 'store-down' || request.options.onStoreDown === 'skip')
      this.log.skipped(name, tick, answer, request.firing !== undefined);
  }

  private runOf(request: RunRequest): ClaimedRun {
    return {
      runId: uniqueId(),
      trigger: triggerOf(request),
      calledAt: this.clock.now(),
      tick: request.tick?.at,
    };
  }

  private claimsOf(firing: Firing): Map<string, FiringClaim> {
    const claims = this.claims.get(firing) ?? new Map<string, FiringClaim>();
    this.claims.set(firing, claims);
    return claims;
  }
}
