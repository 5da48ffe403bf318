import { AsyncLocalStorage } from 'node:async_hooks';
import type { CronTicks, Tick } from './cron-ticks.js';

/** How long an interval firing stays open at least, in milliseconds. */
const MINUTE = 60_000;

/**
 * One call by the scheduler on this instance, with all that the call awaits or starts. Whether a call of a job belongs to
 * a tick is decided by the firing it is made in, never by its arguments: a decorator may drop, add or change those.
 */
export type Firing = CronFiring | IntervalFiring;

/** How many of the calls that the scheduler made in a firing have not ended. */
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
    // Some start their work each time that their `then` is called: once is enough.
    const promise = Promise.resolve(result);
    promise.then(end, end);
    return promise as Result;
  }
}

/** The scheduler called a cron job. */
export class CronFiring {
  readonly kind = 'cron';
  readonly calls = new PendingCalls();
  private found: { readonly tick: Tick | undefined } | undefined;

  /**
   * @param source The cron job that fired.
   * @param ticks Its schedule.
   * @param firedAt When it fired, in milliseconds since the epoch.
   * @param clock The current time, in milliseconds since the epoch.
   * @param tick The tick it fired for. Default: the latest one up to `firedAt`, computed when it is first needed.
   */
  constructor(
    readonly source: object,
    private readonly ticks: CronTicks,
    private readonly firedAt: number,
    private readonly clock: () => number,
    tick?: Tick,
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

  /** Whether its calls have ended, and no late instance could come with this tick any more. */
  get isOver(): boolean {
    if (this.calls.arePending || !this.tick) return false;
    return this.clock() > Math.max(this.tick.at, this.firedAt) + this.tick.keep;
  }
}

/** The scheduler called a method with `@Interval`. */
export class IntervalFiring {
  readonly kind = 'interval';
  readonly calls = new PendingCalls();

  /**
   * @param every The interval, in milliseconds.
   * @param firedAt When it fired, in milliseconds since the epoch.
   * @param clock The current time, in milliseconds since the epoch.
   */
  constructor(
    private readonly every: number,
    private readonly firedAt: number,
    private readonly clock: () => number,
  ) {}

  /** Whether its calls have ended, and the next interval is over. */
  get isOver(): boolean {
    return !this.calls.arePending && this.clock() > this.firedAt + Math.max(this.every, MINUTE);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

const context = new AsyncLocalStorage<Firing>();

/** Calls `callback` in a firing. */
export function fire<Result>(firing: Firing, callback: () => Result): Result {
  return context.run(firing, () => firing.calls.during(callback));
}

/** Keeps the firing that the caller is in open until `callback` has ended. */
export function holdFiring<Result>(callback: () => Result): Result {
  const firing = context.getStore();
  return firing ? firing.calls.during(callback) : callback();
}

/**
 * The firing that the caller is in. A connection or a subscription that was opened in a firing keeps its context for as
 * long as it lives: a firing that is over no longer counts.
 */
export function currentFiring(): Firing | undefined {
  const firing = context.getStore();
  return firing?.isOver ? undefined : firing;
}
