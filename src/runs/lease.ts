import type { Clock, Timer } from '../clock.js';
import type { Grant } from '../acquire/outcome.js';
import type { ClaimedRun } from '../acquire/token.js';
import { TakenError } from '../acquire/store.js';
import { errorOf, LockLostError, NodeUnreachableError, ShutdownError, RunTimeoutError } from '../errors.js';
import type { LeaseSettings } from './lease-settings.js';
import { watchfulSignal } from './watchful-signal.js';

/** A renewal without a majority is repeated after this fraction of the ttl. */
const REPEAT_PART = 1 / 20;

const NOT_RENEWED =
  'it was not renewed in time, because this process was frozen or no majority of the nodes answered. Another instance may have acquired the lock meanwhile';

/**
 * Keeps a granted lock: renews it every `ttl / 3` until it is ended, and aborts `signal` if it can no longer be kept,
 * before it can expire on the nodes. All times are on the monotonic clock.
 */
export class Lease {
  readonly name: string;
  /** The run that it belongs to; `undefined` for a lock from `lock()`. */
  readonly run: ClaimedRun | undefined;
  /** Whether another instance runs the tick again if this one cannot end it. */
  readonly recovers: boolean;
  /** Called when this instance is done with the lease: it is settled, released, or left to expire. */
  onEnded: (() => void) | undefined;
  /** Called when the lock could not be given back. */
  onNotReleased: ((error: Error) => void) | undefined;
  /** Called when `signal` aborts. */
  onAbort: ((reason: Error) => void) | undefined;
  /** Called when the run is settled: returns what is put on record, if anything. */
  record: (() => string | undefined) | undefined;
  private controller: AbortController | undefined;
  private abortReason: Error | undefined;
  /** Whether shutdown has aborted it, perhaps after something else had. */
  private isCutOff = false;
  private ttl: number;
  private ending: Promise<void> | undefined;
  /** Resolves when the extensions in progress are over. */
  private extending: Promise<void> | undefined;
  private renewal: Timer | undefined;
  private loss: Timer | undefined;
  private limit: Timer | undefined;

  constructor(
    private readonly grant: Grant,
    { name, ttl, maxRuntime, run, recovers = false }: LeaseSettings,
    private readonly clock: Clock,
  ) {
    this.name = name;
    this.run = run;
    this.recovers = recovers;
    this.ttl = ttl;
    this.keep();
    if (maxRuntime !== undefined) {
      const stop = (): void => this.abort(new RunTimeoutError(name, maxRuntime));
      this.limit = clock.setTimeout(stop, maxRuntime).unref();
    }
  }

  /** Aborts with a `LockLostError`, a `RunTimeoutError`, or the reason passed to `abort`. */
  get signal(): AbortSignal {
    if (!this.controller) {
      // Few runs use it, so it is created on first use.
      this.controller = new AbortController();
      if (this.abortReason) this.controller.abort(this.abortReason);
      watchfulSignal(this.controller.signal, () => this.checkTime());
    }
    return this.controller.signal;
  }

  /** What its grant says about earlier runs. */
  get before(): Pick<Grant, 'dead' | 'last' | 'unfinished'> {
    return this.grant;
  }

  /** The reason why `signal` has aborted, if it has. */
  get aborted(): Error | undefined {
    return this.abortReason;
  }

  /**
   * Aborts if the lease has ended. After a pause of the process, code may continue before the timer that aborts has
   * fired, so this is also called when the signal is read and when the run ends.
   */
  checkTime(): void {
    if (!this.isEnded && !this.abortReason && this.isOver()) this.lose();
  }

  /** When the lock expires if it is not renewed again. */
  get expiresAt(): Date {
    return new Date(this.clock.now() + this.grant.validUntil - this.clock.elapsed());
  }

  /** Renews the lock now, and uses `ttl` (milliseconds) from now on. Throws the abort reason or a `LockLostError`. */
  async extend(ttl = this.ttl): Promise<void> {
    this.checkHeld();
    try {
      await this.extendGrant(ttl);
    } catch (error) {
      if (error instanceof TakenError) throw this.lose(error.message);
      // The nodes may have applied a shorter ttl anyway.
      this.keep();
      this.checkHeld();
      const why = `no majority of the nodes renewed it (${errorOf(error).message})`;
      // An error of redlock says nothing about the nodes: it is about the clients of `RedlockAdapter`.
      const cause = error instanceof NodeUnreachableError ? error : undefined;
      throw new LockLostError(this.name, why, cause && { cause });
    }
    if (this.isOver()) throw this.lose();
    this.keep();
  }

  /**
   * Tells the run to stop, unless it has ended and only its settle is outstanding. Also stops the renewal of the lock,
   * unless a run with `recover` exceeds `maxRuntime`.
   */
  abort(reason: Error): void {
    if (this.isEnded) return;
    this.clock.clearTimeout(this.limit);
    this.isCutOff ||= reason instanceof ShutdownError;
    if (this.abortReason) return this.stopRenewal();
    this.abortReason = reason;
    if (this.isGivenUp) this.stopRenewal();
    this.controller?.abort(reason);
    this.onAbort?.(reason);
  }

  /**
   * Gives the lock back: `'settle'` ends a run, `'release'` undoes the claim of a run. For a lock from `lock()`, both
   * only free the lock. The timers are cleared synchronously. Never throws: the work is done, and the lock ends with
   * its lease anyway.
   */
  end(how: 'settle' | 'release'): Promise<void> {
    if (!this.ending) {
      // Sent first, so that the nodes work while the timers are cleared.
      this.ending = this.giveBack(how);
      this.stopRenewal();
      this.clock.clearTimeout(this.limit);
    }
    return this.ending;
  }

  /**
   * Ends a run: settles its tick. If shutdown cut off a run with `recover`, leaves the tick to be taken over when the
   * lease has ended.
   */
  finish(): Promise<void> {
    if (!this.recovers || !this.isCutOff) return this.end('settle');
    if (!this.ending) {
      this.ending = Promise.resolve();
      this.onEnded?.();
    }
    return this.ending;
  }

  private async giveBack(how: 'settle' | 'release'): Promise<void> {
    try {
      await (how === 'settle' ? this.grant.settle(this.record?.()) : this.grant.release());
    } catch (error) {
      // Expected for a lock that was lost.
      if (!(this.abortReason instanceof LockLostError)) this.onNotReleased?.(errorOf(error));
    } finally {
      this.onEnded?.();
    }
  }

  private get isEnded(): boolean {
    return this.ending !== undefined;
  }

  /**
   * Whether the lock is no longer renewed. A run with `recover` keeps its lock beyond its `maxRuntime` until it has
   * stopped: if its lease ended, other instances would consider it dead and run its tick again.
   */
  private get isGivenUp(): boolean {
    if (this.isEnded || this.isCutOff) return true;
    return this.abortReason !== undefined && !(this.recovers && this.abortReason instanceof RunTimeoutError);
  }

  /** Reschedules the timers after the lock was granted or renewed. */
  private keep(): void {
    this.stopRenewal();
    if (this.isGivenUp || this.grant.validUntil === Number.POSITIVE_INFINITY) return;
    const left = this.grant.validUntil - this.clock.elapsed();
    // Node.js warns of negative delays.
    const untilRenewal = Math.max(0, left - (this.ttl * 2) / 3);
    this.renewal = this.clock.setTimeout(() => void this.renew(), untilRenewal).unref();
    this.loss = this.clock.setTimeout(() => void this.lose(), Math.max(0, left)).unref();
  }

  private async renew(): Promise<void> {
    if (this.isGivenUp) return;
    // After a pause of the process, another claim may have had the lock, and the nodes would grant it again.
    if (this.isOver()) return void this.lose();
    try {
      await this.extendGrant();
      if (this.isOver()) this.lose();
      else this.keep();
    } catch (error) {
      if (this.isGivenUp) return;
      if (error instanceof TakenError) return void this.lose(error.message);
      this.clock.clearTimeout(this.renewal);
      this.renewal = this.clock.setTimeout(() => void this.renew(), this.ttl * REPEAT_PART).unref();
    }
  }

  /** Extensions run one after another: an earlier request must not override the ttl of a later one. */
  private extendGrant(ttl?: number): Promise<unknown> {
    const next = async (): Promise<void> => {
      // Checked again when its turn comes: otherwise the nodes would grant the lock once more after it has ended.
      if (this.isGivenUp) this.checkHeld();
      const asked = ttl ?? this.ttl;
      await this.grant.extend(asked);
      this.ttl = asked;
    };
    const extended = this.extending ? this.extending.then(next) : next();
    const over = extended
      .catch(() => {})
      .then(() => {
        if (this.extending === over) this.extending = undefined;
      });
    this.extending = over;
    return extended;
  }

  private checkHeld(): void {
    if (this.isEnded) throw new LockLostError(this.name, 'it has been released');
    if (this.abortReason) throw this.abortReason;
    if (this.isOver()) throw this.lose();
  }

  private isOver(): boolean {
    return this.grant.validUntil <= this.clock.elapsed();
  }

  private lose(why = NOT_RENEWED): Error {
    const error = new LockLostError(this.name, why);
    // An ended lease cannot be lost.
    if (!this.isEnded) this.abort(error);
    return this.abortReason ?? error;
  }

  private stopRenewal(): void {
    this.clock.clearTimeout(this.renewal);
    this.clock.clearTimeout(this.loss);
  }
}
