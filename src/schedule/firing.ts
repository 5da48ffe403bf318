import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../clock.js';
import type { RunOutcome } from '../runs/run-outcome.js';
import type { CronTicks, Tick } from './cron-ticks.js';

/** The minimum time that an interval firing stays open, in milliseconds. */
const MINUTE = 60_000;

/**
 * One call by the scheduler, or by `RedlockService.trigger`, on this instance, with everything that the call awaits or
 * starts. Whether a call of a job belongs to a tick depends on the firing in which it is made, never on its arguments:
 * a decorator may change them.
 */
export type Firing = CronFiring | IntervalFiring | ManualFiring;

/** Counts the calls in a firing that have not ended: the call that began it, and those that keep it open. */
class PendingCalls {
  private pending = 0;

  get arePending(): boolean {
    return this.pending > 0;
  }

  /** Calls `callback`, and counts it until it has ended. */
  during<Result>(callback: () => Result): Result {
    this.pending++;
    const end = (): void => void this.pending--;
    let result: Result;
    try {
      result = callback();
    } catch (error) {
      end();
      throw error;
    }
    if (!isThenable(result)) {
      end();
      return result;
    }
    // Some thenables start their work each time `then` is called, so it must be called only once. A rejection that the
    // caller does not handle must still be reported as unhandled.
    return Promise.resolve(result).finally(end) as Result;
  }
}

/** The scheduler called a cron job. */
export class CronFiring {
  readonly kind = 'cron';
  readonly calls = new PendingCalls();
  /** The names of the jobs whose calls in this firing have failed. */
  readonly failed = new Set<string>();
  private found: { readonly tick: Tick | undefined } | undefined;

  /**
   * @param source The cron job that fired; if none did, the function that calls the method.
   * @param ticks Its schedule.
   * @param firedAt When it fired, in milliseconds since the epoch.
   * @param tick The tick it fired for. Default: the latest one up to `firedAt`, computed when it is first needed.
   * @param origin The application that made the call, if it is known.
   * @param isTakeover Whether it was begun by `again`: then it makes only one of the calls of the cron job.
   */
  constructor(
    readonly source: object,
    readonly ticks: CronTicks,
    readonly firedAt: number,
    private readonly clock: Clock,
    tick?: Tick,
    readonly origin?: object,
    readonly isTakeover = false,
  ) {
    if (tick) this.found = { tick };
  }

  /** The tick it fired for; `undefined` if the schedule names none up to that time. */
  get tick(): Tick | undefined {
    if (!this.found) {
      this.found = { tick: this.ticks.latest(this.firedAt) };
      this.ticks.prepareSoon(this.clock);
    }
    return this.found.tick;
  }

  /** A lower bound of the time between two ticks (see `shortestPeriod`), in milliseconds. */
  get period(): number {
    return this.ticks.period;
  }

  /** A firing of the same cron job that begins now, and takes over the same tick for one of the calls. */
  again(): CronFiring {
    return new CronFiring(
      this.source,
      this.ticks,
      this.clock.now(),
      this.clock,
      this.tick,
      this.origin,
      true,
    );
  }

  /** Whether its calls have ended, and it has a tick that no late instance could still claim. */
  get isOver(): boolean {
    if (this.calls.arePending || !this.tick) return false;
    return this.clock.now() > Math.max(this.tick.at, this.firedAt) + this.tick.keep;
  }
}

/** The scheduler called an `@Interval` method. */
export class IntervalFiring {
  readonly kind = 'interval';
  readonly calls = new PendingCalls();

  /**
   * @param period The interval, in milliseconds.
   * @param firedAt When it fired, in milliseconds since the epoch.
   * @param origin The application that made the call, if it is known.
   */
  constructor(
    readonly period: number,
    readonly firedAt: number,
    private readonly clock: Clock,
    readonly origin?: object,
  ) {}

  /** Whether its calls have ended, and the interval, or a minute if that is longer, has passed since it fired. */
  get isOver(): boolean {
    return !this.calls.arePending && this.clock.now() > this.firedAt + Math.max(this.period, MINUTE);
  }
}

/** `RedlockService.trigger` called a job. */
export class ManualFiring {
  readonly kind = 'manual';
  readonly calls = new PendingCalls();
  /** Whether the job has been called: a decorator above `@Exclusive` may not have done so. */
  hasCalled = false;
  /**
   * How the call of the job has ended: the last one if there are several, as when the job calls itself. `undefined` if
   * it was not guarded, as with `enabled: false`.
   */
  outcome: RunOutcome<unknown> | undefined;

  /**
   * @param method The decorated method of the job.
   * @param origin The application that made the call.
   */
  constructor(
    readonly method: object,
    readonly origin: object,
  ) {}

  get isOver(): boolean {
    return !this.calls.arePending;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

const context = new AsyncLocalStorage<Firing | undefined>();

/** Calls `callback` within a firing. */
export function fire<Result>(firing: Firing, callback: () => Result): Result {
  return context.run(firing, () => firing.calls.during(callback));
}

/** Calls `callback` outside any firing. */
export function outsideFirings<Result>(callback: () => Result): Result {
  return context.run(undefined, callback);
}

/** Keeps the current firing open until `callback` has ended. */
export function holdFiring<Result>(callback: () => Result): Result {
  const firing = context.getStore();
  return firing ? firing.calls.during(callback) : callback();
}

/**
 * The current firing, unless it is over: a connection or subscription that was opened in a firing keeps its async
 * context for as long as it lives.
 */
export function currentFiring(): Firing | undefined {
  const firing = context.getStore();
  return firing?.isOver ? undefined : firing;
}
