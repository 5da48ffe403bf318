import { type Duration, ttlCheck } from '../options/duration.js';
import type { Lease } from './lease.js';
import type { RunEvent } from '../events/events.js';
import type { CurrentRun } from './run-context.js';

/** A run as its job sees it. */
export class LeasedRun implements CurrentRun {
  readonly runId: string;
  readonly name: string;
  readonly tick: Date | null;
  readonly instanceId: string;
  readonly fencingToken: number | null;
  declare readonly signal: AbortSignal;
  readonly #lease: Lease;
  readonly #nodeTimeout: number;

  /** One getter for all runs: creating an object with its own getter is slow in V8. */
  private static readonly signal: PropertyDescriptor & ThisType<LeasedRun> = {
    configurable: true,
    enumerable: true,
    get() {
      return this.#lease.signal;
    },
  };

  constructor(
    { runId, name, instanceId }: RunEvent,
    lease: Lease,
    fencingToken: number | null,
    nodeTimeout: number,
  ) {
    this.runId = runId;
    this.name = name;
    // A date of its own: the job may change it.
    this.tick = fencingToken === null ? null : new Date(fencingToken);
    this.instanceId = instanceId;
    this.fencingToken = fencingToken;
    this.#lease = lease;
    this.#nodeTimeout = nodeTimeout;
    // An own property, so that it is copied when a run is spread.
    Object.defineProperty(this, 'signal', LeasedRun.signal);
  }

  // An own function, so that it can be destructured from the run.
  readonly extend = async (ttl?: Duration): Promise<void> =>
    this.#lease.extend(ttl === undefined ? undefined : ttlCheck(this.#nodeTimeout)('extend()', 'ttl', ttl));
}
