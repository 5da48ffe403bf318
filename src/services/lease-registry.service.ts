import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Claim } from '../nodes/lock-node.js';
import { Acquirer } from '../acquire/acquirer.js';
import type { Denial, Grant } from '../acquire/outcome.js';
import { ShutdownError } from '../errors.js';
import { Lease, type LeaseSettings } from '../runs/lease.js';
import { OperatorLog } from './operator-log.service.js';

/** How long an aborted run may take to stop before its lock is given back under it, in milliseconds. */
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

/** All leases that this instance holds, and the gate through which it gets them: shut at shutdown. */
@Injectable()
export class LeaseRegistry {
  private readonly held = new Set<Lease>();
  /** How many claims of runs are under way. */
  private claims = 0;
  /** Called when no claim of a run is under way, or a lease has ended. */
  private readonly onQuiet = new Set<() => void>();
  /** No runs from now on, and no locks either. */
  private readonly closing = { runs: new AbortController(), locks: new AbortController() };

  constructor(
    private readonly acquirer: Acquirer,
    private readonly log: OperatorLog,
  ) {
    // Every claim that waits listens to it.
    setMaxListeners(0, this.closing.runs.signal, this.closing.locks.signal);
  }

  /**
   * Claims, and keeps what is granted.
   *
   * @param wait How long to go on while another claim holds the lock, in milliseconds.
   */
  async acquire(claim: Claim, settings: LeaseSettings, wait = 0): Promise<Lease | Denial> {
    const { isRun } = settings;
    const { signal } = isRun ? this.closing.runs : this.closing.locks;
    if (signal.aborted) return SHUTDOWN;
    // Until the lease is registered: otherwise a shutdown in between would not wait for its run.
    if (isRun) this.claims++;
    try {
      const answer = await this.acquirer.acquire(claim, settings.ttl, wait, signal);
      if (!signal.aborted || answer.kind === 'granted') this.log.answered(answer);
      if (answer.kind === 'denied') return signal.aborted ? SHUTDOWN : answer;
      // A run that is granted during shutdown takes place: the other instances have lost it already.
      if (isRun || !signal.aborted) return this.hold(answer, settings);
      // Nobody would release a lock that is granted after the end.
      await answer.release().catch(() => {});
      return SHUTDOWN;
    } finally {
      if (isRun && --this.claims === 0) this.noteQuiet();
    }
  }

  /** A lease that keeps nobody out, but is waited for at shutdown like any other. */
  unguarded(settings: LeaseSettings): Lease {
    return this.hold(UNGUARDED, settings);
  }

  /** The runs in progress. */
  get runs(): Lease[] {
    return [...this.held].filter(({ isRun }) => isRun);
  }

  /** No new runs from now on. */
  close(): void {
    this.closing.runs.abort();
  }

  /**
   * Waits for the runs in progress, `timeout` milliseconds or until `hurry` aborts; then aborts those that are left, gives
   * them a moment to stop, and gives their locks back, or leaves their ticks to others. Locks that code holds by itself are
   * kept: it may still need them, and release them, while the application closes.
   */
  async drain(timeout: number, hurry: AbortSignal): Promise<void> {
    while (this.claims > 0) await this.quiet();
    await this.runsEndedWithin(timeout, hurry);
    if (this.runs.length === 0) return;
    for (const lease of this.runs) lease.abort(new ShutdownError(lease.name, lease.recovers));
    await this.runsEndedWithin(ABORT_GRACE, hurry);
    await Promise.all(this.runs.map((lease) => lease.finish()));
  }

  /** At the very end: gives back the locks that were never released, and grants no more. */
  async end(): Promise<void> {
    this.close();
    this.closing.locks.abort();
    for (const lease of this.held) lease.abort(new ShutdownError(lease.name));
    await Promise.all([...this.held].map((lease) => lease.finish()));
  }

  private hold(grant: Grant, settings: LeaseSettings): Lease {
    const lease = new Lease(grant, settings);
    this.held.add(lease);
    lease.onEnded = () => {
      this.held.delete(lease);
      this.noteQuiet();
    };
    return lease;
  }

  private async runsEndedWithin(timeout: number, hurry: AbortSignal): Promise<void> {
    const cancel = new AbortController();
    const over = pause(timeout, true, { signal: AbortSignal.any([hurry, cancel.signal]) }).catch(() => true);
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
