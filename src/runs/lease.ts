import { Logger } from '@nestjs/common';
import type { Grant } from '../acquire/outcome.js';
import { TakenError } from '../acquire/store.js';
import { LockLostError, ShutdownError, RunTimeoutError } from '../errors.js';
import { watchfulSignal } from './watchful-signal.js';

/** What a lease needs to know of the lock that it keeps. Durations in milliseconds. */
export interface LeaseSettings {
  readonly name: string;
  readonly ttl: number;
  readonly maxRuntime: number | undefined;
  /** Whether it is that of a run, and not of a lock that code holds by itself. */
  readonly isRun: boolean;
  /** Whether another instance may run its tick again. Default: `false`. */
  readonly recovers?: boolean;
}

/** A renewal that found no majority is repeated after this part of the ttl. */
const REPEAT_PART = 1 / 20;

const OVERDUE =
  'it was not renewed in time, as this process stood still or no majority of the nodes answered. Another instance may have run meanwhile';

const logger = new Logger('RedlockModule');

/**
 * Keeps a granted lock: renews it every third of its ttl until it is ended, and aborts `signal` when it cannot be kept
 * any longer, before the nodes can let it go. Everything is timed on the monotonic clock.
 */
export class Lease {
  readonly name: string;
  readonly isRun: boolean;
  /** Whether another instance runs its tick again if this one cannot end it. */
  readonly recovers: boolean;
  /** Called once the lock has been given back. */
  onEnded: (() => void) | undefined;
  /** Called when `signal` aborts. */
  onAbort: ((reason: Error) => void) | undefined;
  private controller: AbortController | undefined;
  private abortReason: Error | undefined;
  private ttl: number;
  private ending: Promise<void> | undefined;
  /** Resolves when the extensions that are under way are over. */
  private extending: Promise<void> | undefined;
  private renewal: NodeJS.Timeout | undefined;
  private loss: NodeJS.Timeout | undefined;
  private limit: NodeJS.Timeout | undefined;

  constructor(
    private readonly grant: Grant,
    { name, ttl, maxRuntime, isRun, recovers = false }: LeaseSettings,
  ) {
    this.name = name;
    this.isRun = isRun;
    this.recovers = recovers;
    this.ttl = ttl;
    this.keep();
    if (maxRuntime !== undefined) {
      this.limit = setTimeout(() => this.abort(new RunTimeoutError(name, maxRuntime)), maxRuntime).unref();
    }
  }

  /** Aborts with a `LockLostError`, a `RunTimeoutError`, or the reason that `abort` was given. */
  get signal(): AbortSignal {
    if (!this.controller) {
      // Few ask for it: it is made when somebody does.
      this.controller = new AbortController();
      if (this.abortReason) this.controller.abort(this.abortReason);
      watchfulSignal(this.controller.signal, () => this.checkTime());
    }
    return this.controller.signal;
  }

  /** The token of the claim that was taken over, if one was. */
  get dead(): string | undefined {
    return this.grant.dead;
  }

  /**
   * Aborts if the lease has ended. After a pause of the process, code goes on before the timer that would have aborted:
   * to be called whenever somebody wants to know.
   */
  checkTime(): void {
    if (!this.isEnded && !this.abortReason && this.isOver()) this.lose();
  }

  /** When the lock ends if it is not renewed any more. */
  get expiresAt(): Date {
    return new Date(Date.now() + this.grant.validUntil - performance.now());
  }

  /** Renews the lock now, and from now on to `ttl` (milliseconds). Throws what `signal` aborted with, or a `LockLostError`. */
  async extend(ttl = this.ttl): Promise<void> {
    this.checkHeld();
    try {
      await this.extendGrant(ttl);
    } catch (error) {
      if (error instanceof TakenError) throw this.lose(error.message);
      // A shorter ttl may have come to the nodes all the same.
      this.keep();
      this.checkHeld();
      throw new LockLostError(this.name, `no majority of the nodes renewed it (${messageOf(error)})`);
    }
    if (this.isOver()) throw this.lose();
    this.ttl = ttl;
    this.keep();
  }

  /** Tells the run to stop. The lock is renewed no more, and ends with the lease, or with `end`. */
  abort(reason: Error): void {
    clearTimeout(this.limit);
    if (this.abortReason) return this.stopRenewal();
    this.abortReason = reason;
    if (this.isGivenUp) this.stopRenewal();
    this.controller?.abort(reason);
    this.onAbort?.(reason);
  }

  /**
   * Gives the lock back: `'settle'` after a run, `'release'` as though it had never been taken. The timers end in this
   * turn. Never throws: what was done under the lock is done, and the lock ends with its lease anyway.
   */
  end(how: 'settle' | 'release'): Promise<void> {
    if (!this.ending) {
      // Sent first: the nodes are at work while the timers end.
      this.ending = this.giveBack(how);
      this.stopTimers();
    }
    return this.ending;
  }

  /**
   * Ends a run: settles its tick, or, where shutdown cut it off and its tick recovers, leaves it to be taken over when the
   * lease has ended.
   */
  finish(): Promise<void> {
    if (!this.recovers || !(this.abortReason instanceof ShutdownError)) return this.end('settle');
    if (!this.ending) {
      this.ending = Promise.resolve();
      this.onEnded?.();
    }
    return this.ending;
  }

  private async giveBack(how: 'settle' | 'release'): Promise<void> {
    try {
      await this.grant[how]();
    } catch (error) {
      // Of a lock that was lost this is no news.
      if (this.abortReason instanceof LockLostError) return;
      logger.warn(
        `The lock of "${this.name}" could not be given back; what is left of it ends with its lease: ${messageOf(error)}`,
      );
    } finally {
      this.onEnded?.();
    }
  }

  private get isEnded(): boolean {
    return this.ending !== undefined;
  }

  /**
   * Whether it is renewed no more. A run that recovers keeps its lock beyond its `maxRuntime` until it has stopped: to the
   * others, one whose lease has ended is dead, and would be run again.
   */
  private get isGivenUp(): boolean {
    if (this.isEnded) return true;
    return this.abortReason !== undefined && !(this.recovers && this.abortReason instanceof RunTimeoutError);
  }

  /** Sets the timers anew, after the lock was granted or renewed. */
  private keep(): void {
    this.stopRenewal();
    if (this.isGivenUp || this.grant.validUntil === Number.POSITIVE_INFINITY) return;
    const left = this.grant.validUntil - performance.now();
    // Node.js warns of negative delays.
    this.renewal = setTimeout(() => void this.renew(), Math.max(0, left - (this.ttl * 2) / 3)).unref();
    this.loss = setTimeout(() => void this.lose(), Math.max(0, left)).unref();
  }

  private async renew(): Promise<void> {
    if (this.isGivenUp) return;
    // After a pause of the process: somebody else may have had the lock since, and the nodes would give it back.
    if (this.isOver()) return void this.lose();
    try {
      await this.extendGrant(this.ttl);
      if (this.isOver()) this.lose();
      else this.keep();
    } catch (error) {
      if (this.isGivenUp) return;
      if (error instanceof TakenError) return void this.lose(error.message);
      clearTimeout(this.renewal);
      this.renewal = setTimeout(() => void this.renew(), this.ttl * REPEAT_PART).unref();
    }
  }

  /** One after the other: the answer to a longer ttl must not come in on top of a shorter one that was asked for later. */
  private extendGrant(ttl: number): Promise<unknown> {
    const next = async (): Promise<number> => {
      // By the time that it is its turn: the nodes would give a lock that has ended again.
      if (this.isGivenUp) this.checkHeld();
      return this.grant.extend(ttl);
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
    return this.grant.validUntil <= performance.now();
  }

  private lose(why = OVERDUE): Error {
    const error = new LockLostError(this.name, why);
    // What is over cannot be lost any more.
    if (!this.isEnded) this.abort(error);
    return this.abortReason ?? error;
  }

  private stopRenewal(): void {
    clearTimeout(this.renewal);
    clearTimeout(this.loss);
  }

  private stopTimers(): void {
    this.stopRenewal();
    clearTimeout(this.limit);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
