import { Inject, Injectable } from '@nestjs/common';
import { type Clock, sleep, systemClock } from '../clock.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { Claim } from '../nodes/lock-node.js';
import { Acquirer } from '../acquire/acquirer.js';
import type { Denial, Grant } from '../acquire/outcome.js';
import { ShutdownError } from '../errors.js';
import { Lease, type LeaseSettings } from '../runs/lease.js';
import { OperatorLog } from './operator-log.service.js';

/** How long an aborted run may take to stop before its lock is released anyway, in milliseconds. */
const ABORT_GRACE = 1000;

const SHUTDOWN: Denial = { kind: 'denied', reason: 'shutdown', causes: [] };

/** A no-op grant, for `onStoreDown: 'run'`. */
const UNGUARDED: Grant = {
  kind: 'granted',
  validUntil: Number.POSITIVE_INFINITY,
  extend: () => Promise.resolve(Number.POSITIVE_INFINITY),
  settle: () => Promise.resolve(),
  release: () => Promise.resolve(),
};

/** All leases that this instance holds. Closed at shutdown, when no more are acquired. */
@Injectable()
export class LeaseRegistry {
  private readonly held = new Set<Lease>();
  /** The number of run claims in progress. */
  private claims = 0;
  /** Called when no run claim is in progress any more, or a lease has ended. */
  private readonly onQuiet = new Set<() => void>();
  /** Abort when no more runs, or no more locks, may be acquired. */
  private readonly closing = { runs: new AbortController(), locks: new AbortController() };

  constructor(
    private readonly acquirer: Acquirer,
    private readonly log: OperatorLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Makes a claim, and keeps the lease if it is granted. For `wait` and `untilNext`, see `Acquirer`. */
  async acquire(claim: Claim, settings: LeaseSettings, wait = 0, untilNext = wait): Promise<Lease | Denial> {
    const { isRun } = settings;
    const { signal } = isRun ? this.closing.runs : this.closing.locks;
    if (signal.aborted) return SHUTDOWN;
    // Counted until the lease is registered: otherwise a shutdown in between would not wait for the run.
    if (isRun) this.claims++;
    try {
      const answer = await this.acquirer.acquire(claim, settings.ttl, wait, signal, untilNext);
      if (!signal.aborted || answer.kind === 'granted') this.log.answered(answer);
      if (answer.kind === 'denied') return signal.aborted ? SHUTDOWN : answer;
      // A run that is granted during shutdown still runs: the other instances have already lost the tick.
      if (isRun || !signal.aborted) return this.hold(answer, settings);
      // A lock that is granted after the end would never be released.
      await answer.release().catch(() => {});
      return SHUTDOWN;
    } finally {
      if (isRun && --this.claims === 0) this.noteQuiet();
    }
  }

  /** A lease without a lock, which shutdown waits for like any other. */
  unguarded(settings: LeaseSettings): Lease {
    return this.hold(UNGUARDED, settings);
  }

  /** The runs in progress. */
  get runs(): Lease[] {
    return [...this.held].filter(({ isRun }) => isRun);
  }

  /** Stops new runs. */
  close(): void {
    this.closing.runs.abort();
  }

  /**
   * Waits for the runs in progress, for up to `timeout` milliseconds or until `hurry` aborts. Then aborts the remaining
   * runs, gives them a moment to stop, and releases their locks or leaves their ticks to other instances. Locks from
   * `lock()` are kept: code may still need them while the application closes.
   */
  async drain(timeout: number, hurry: AbortSignal): Promise<void> {
    while (this.claims > 0) await this.quiet();
    await this.runsEndedWithin(timeout, hurry);
    if (this.runs.length === 0) return;
    for (const lease of this.runs) lease.abort(new ShutdownError(lease.name, lease.recovers));
    await this.runsEndedWithin(ABORT_GRACE, hurry);
    await Promise.all(this.runs.map((lease) => lease.finish()));
  }

  /** At the very end: releases the remaining locks, and acquires no more. */
  async end(): Promise<void> {
    this.close();
    this.closing.locks.abort();
    for (const lease of this.held) lease.abort(new ShutdownError(lease.name));
    await Promise.all([...this.held].map((lease) => lease.finish()));
  }

  private hold(grant: Grant, settings: LeaseSettings): Lease {
    const lease = new Lease(grant, settings, this.clock);
    this.held.add(lease);
    lease.onEnded = () => {
      this.held.delete(lease);
      this.noteQuiet();
    };
    return lease;
  }

  private async runsEndedWithin(timeout: number, hurry: AbortSignal): Promise<void> {
    const cancel = new AbortController();
    // Work takes real time, even if a test moves the clock.
    const over = sleep(systemClock, timeout, AbortSignal.any([hurry, cancel.signal])).then(() => true);
    while (this.runs.length > 0 && !(await Promise.race([this.quiet(), over])));
    cancel.abort();
  }

  private quiet(): Promise<void> {
    return new Promise((resolve) => this.onQuiet.add(resolve));
  }

  private noteQuiet(): void {
    for (const resolve of this.onQuiet) resolve();
    this.onQuiet.clear();
  }
}
