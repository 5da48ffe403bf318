import { randomUUID } from 'node:crypto';
import { debuglog } from 'node:util';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Clock } from '../clock.js';
import type { Denial } from '../acquire/outcome.js';
import { traced } from '../runs/channels.js';
import { claimOf } from '../runs/claim-builder.js';
import { type RunRequest, unlessDown } from '../runs/run-request.js';
import { messageOf, quoted } from '../display.js';
import { ShutdownError, StoreDownError } from '../errors.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { LONGEST_TIMER } from '../options/duration.js';
import type { ResolvedOptions } from '../options/options.js';
import type { RunOutcome } from '../runs/run-outcome.js';
import { fire, type Firing } from '../schedule/firing.js';
import { Lease } from '../runs/lease.js';
import { LeasedRun } from '../runs/leased-run.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { OperatorLog } from './operator-log.service.js';
import type { RunEvent } from '../runs/run-event.js';
import { RedlockEvents } from './redlock-events.service.js';
import { type CurrentRun, runContext } from '../runs/run-context.js';

type Answer = Lease | Denial;

/** The first claim for a name in a firing, which decides all later calls of that name in it. */
interface FirstClaim {
  readonly answer: Promise<Answer>;
  /** Whether a call has already run or lost because of it. */
  isUsed: boolean;
}

/** How many losers wait to take over the tick, if a node ranks them. */
const TAKEOVER_CANDIDATES = 8;
/** They try at random times within this period, in milliseconds. */
const TAKEOVER_SPREAD = 250;

/** Shown with `NODE_DEBUG=nestjs-exclusive`: Nest prints debug lines by default, and losing is the normal case. */
const debug = debuglog('nestjs-exclusive');

/** Claims, runs and settles. */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger('RedlockModule');
  private readonly firstClaims = new WeakMap<Firing, Map<string, FirstClaim>>();
  /** The firing in which a run was won. */
  private readonly firingOf = new WeakMap<CurrentRun, Firing>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly leases: LeaseRegistry,
    private readonly events: RedlockEvents,
    private readonly log: OperatorLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Runs `routine` if this instance wins. Rejects with what it throws, or, depending on `onStoreDown`, with a
   * `StoreDownError`.
   *
   * In a firing, the first call of a name claims its tick. If it wins, later calls, such as those of a retry, are plain
   * calls; if it loses, they lose, too.
   */
  async run<T>(request: RunRequest, routine: (run: CurrentRun) => T): Promise<RunOutcome<Awaited<T>>> {
    const { firing, name } = request;
    if (!firing) return this.conclude(await this.acquire(request), request, routine);
    const tick = firing.kind === 'cron' ? firing.tick : undefined;
    const inTick = { ...request, tick };
    // A call inside a run of this firing belongs to that run: no other instance makes it.
    if (this.isInRunOf(firing)) return this.runAgain(inTick, routine);
    const claims = this.claimsOf(firing);
    const known = claims.get(name);
    if (known?.isUsed) {
      const answer = await known.answer;
      if (answer instanceof Lease) return this.runAgain(inTick, routine);
      // The first claim was not decided, so this call claims the same tick again.
      if (!isUndecided(answer)) return { ran: false, reason: answer.reason };
    }
    const first = known && !known.isUsed ? known : { answer: this.acquire(inTick), isUsed: true };
    first.isUsed = true;
    claims.set(name, first);
    return this.conclude(await first.answer, inTick, routine);
  }

  /**
   * Takes over a tick that another instance has begun and not settled, now or when its lease has ended. Then calls
   * `method` in `firing`, where its call of the job has already won.
   *
   * @returns `'unbegun'`; `'unknown'` if the nodes did not answer or the lock is held; otherwise `'done with'`.
   */
  async resume(
    request: RunRequest,
    firing: () => Firing,
    method: () => unknown,
  ): Promise<'unbegun' | 'unknown' | 'done with'> {
    const { name, tick } = request;
    const takeover: RunRequest = { ...unlessDown(request), past: 'perhaps begun' };
    const answer = await this.acquire(takeover);
    if (!(answer instanceof Lease)) {
      this.watch(takeover, answer, () => this.resume(request, firing, method));
      if (answer.isUnbegun) return 'unbegun';
      return isUndecided(answer) || answer.reason === 'overlap' ? 'unknown' : 'done with';
    }
    if (tick) this.log.takenOver(name, tick, answer.dead);
    const claim: FirstClaim = { answer: Promise.resolve(answer), isUsed: false };
    const now = firing();
    this.claimsOf(now).set(name, claim);
    await this.untilOver(name, () => fire(now, method));
    // A decorator above `@Exclusive` did not call the job, or will call it later: that call claims the tick by itself.
    if (!claim.isUsed) {
      this.claimsOf(now).delete(name);
      await answer.end('release');
    }
    return 'done with';
  }

  /** Runs `routine` under the lock alone, because the tick has already been won in this firing. */
  private async runAgain<T>(
    request: RunRequest,
    routine: (run: CurrentRun) => T,
  ): Promise<RunOutcome<Awaited<T>>> {
    const again: RunRequest = { ...request, past: 'run here' };
    return this.conclude(await this.acquire(again), again, routine);
  }

  private isInRunOf(firing: Firing): boolean {
    const run = runContext.getStore();
    return run !== undefined && this.firingOf.get(run) === firing;
  }

  private acquire(request: RunRequest): Promise<Answer> {
    const { name, options, tick, past } = request;
    const { ttl, maxRuntime, every } = options;
    const recovers = options.recover && tick !== undefined && past !== 'run here';
    return this.leases.acquire(
      claimOf(this.options.keyPrefix, name, options, tick, past),
      { name, ttl, maxRuntime, isRun: true, recovers },
      0,
      tick ? tick.next - this.clock.now() : every,
    );
  }

  private async conclude<T>(
    answer: Answer,
    request: RunRequest,
    routine: (run: CurrentRun) => T,
  ): Promise<RunOutcome<Awaited<T>>> {
    const { name, options, tick, past } = request;
    if (answer instanceof Lease) {
      if (past === 'begun' && tick) this.log.takenOver(name, tick, answer.dead);
      return { ran: true, value: await this.runUnder(answer, request, routine) };
    }
    const isDown = answer.reason === 'store-down';
    if (isDown && options.onStoreDown === 'run') {
      const settings = { name, ttl: options.ttl, maxRuntime: options.maxRuntime, isRun: true };
      return { ran: true, value: await this.runUnder(this.leases.unguarded(settings), request, routine) };
    }
    // A takeover that is not needed is not reported: the tick was reported as skipped when it was lost.
    if (past !== 'begun') this.skip(request, answer);
    if (isDown && options.onStoreDown === 'throw') throw new StoreDownError(name, answer.causes);
    // A retry would mistake `undefined` for a success.
    if (past === 'run here' && answer.reason === 'shutdown') throw new ShutdownError(name);
    if (past !== 'run here') {
      const takeover: RunRequest = { ...unlessDown(request), past: 'begun' };
      this.watch(takeover, answer, () => this.run({ ...takeover, firing: undefined }, routine));
    }
    return { ran: false, reason: answer.reason };
  }

  private async runUnder<T>(
    lease: Lease,
    request: RunRequest,
    routine: (run: CurrentRun) => T,
  ): Promise<Awaited<T>> {
    const event = this.eventOf(request);
    lease.onAbort = (reason) => this.aborted(reason, event);
    const { nodeTimeout } = this.options;
    const run = new LeasedRun(event, lease, request.tick?.at ?? null, nodeTimeout);
    if (request.firing) this.firingOf.set(run, request.firing);
    this.events.emit('started', event);
    const begin = this.clock.elapsed();
    try {
      const value = await runContext.run(run, () => traced(event, () => routine(run)));
      lease.checkTime();
      this.events.emit('finished', { ...event, duration: this.clock.elapsed() - begin });
      return value;
    } catch (error) {
      lease.checkTime();
      this.events.emit('failed', { ...event, duration: this.clock.elapsed() - begin, error });
      throw error;
    } finally {
      await lease.finish();
    }
  }

  private aborted(error: Error, event: RunEvent): void {
    this.logger.warn(error.message);
    this.events.emit('aborted', { ...event, error });
  }

  private skip(request: RunRequest, answer: Denial): void {
    const { name, tick } = request;
    const { reason } = answer;
    debug(`Skipped ${quoted(name)}${tick ? ` of ${new Date(tick.at).toISOString()}` : ''}: ${reason}`);
    this.events.emit('skipped', { ...this.eventOf(request), reason });
    // A later call of the same firing is a plain call: the tick has been run.
    if (request.past === 'run here') return;
    if (reason !== 'store-down' || request.options.onStoreDown === 'skip')
      this.log.skipped(name, tick, answer);
  }

  /** Retries the claim after the runner's lease could have expired. */
  private watch({ name, options }: RunRequest, answer: Denial, again: () => Promise<unknown>): void {
    const { reason, lease, rank = 0 } = answer;
    if (reason !== 'elsewhere' || !options.recover || lease === undefined || rank > TAKEOVER_CANDIDATES)
      return;
    const delay = Math.min(lease + Math.random() * TAKEOVER_SPREAD, LONGEST_TIMER);
    this.clock.setTimeout(() => void this.untilOver(name, again), delay).unref();
  }

  /** Awaits a run that has no other caller, and logs its error. */
  private async untilOver(name: string, run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.logger.error(`${quoted(name)}, taken over from another instance, failed: ${messageOf(error)}`);
    }
  }

  private claimsOf(firing: Firing): Map<string, FirstClaim> {
    const claims = this.firstClaims.get(firing) ?? new Map<string, FirstClaim>();
    this.firstClaims.set(firing, claims);
    return claims;
  }

  private eventOf({ name, tick }: RunRequest): RunEvent {
    return {
      runId: randomUUID(),
      name,
      tick: tick ? new Date(tick.at) : null,
      instanceId: this.options.instanceId,
    };
  }
}

/** Whether the nodes did not answer, so that another claim may still find out who runs the tick. */
function isUndecided({ reason }: Denial): boolean {
  return reason === 'store-down' || reason === 'overload';
}
