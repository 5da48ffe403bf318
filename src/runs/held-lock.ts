import { type Duration, ttlCheck } from '../options/duration.js';
import type { Lease } from './lease.js';

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

export class HeldLock implements RedlockLock {
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
    this.#lease.extend(ttl === undefined ? undefined : ttlCheck(this.#nodeTimeout)('extend()', 'ttl', ttl));
  readonly release = (): Promise<void> => this.#lease.end('release');
  readonly [Symbol.asyncDispose] = this.release;
}
