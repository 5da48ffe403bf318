import { Inject, Injectable } from '@nestjs/common';
import { type Clock, sleep, systemClock } from '../clock.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { Claim } from '../nodes/lock-node.js';
import { Acquirer, type Patience } from '../acquire/acquirer.js';
import { type Denial, type Grant, isDown } from '../acquire/outcome.js';
import { ShutdownError } from '../errors.js';
import { onAbort } from '../on-abort.js';
import type { ClaimTiming } from '../runs/claim-timing.js';
import { KeepAlive } from '../runs/keep-alive.js';
import { Lease } from '../runs/lease.js';
import type { LeaseSettings } from '../runs/lease-settings.js';
import { BusyDelay } from './busy-delay.service.js';
import { OperatorLog } from './operator-log.service.js';

/** How long an aborted run may take to stop before it is settled anyway, in milliseconds. */
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

/**
 * All leases that this instance holds. After `close`, claims for runs are made only inside runs in progress, until
 * `drain` stops these claims, too. After `end`, no claims are made, not even for locks.
 */
@Injectable()
export class LeaseRegistry {
  private readonly held = new Set<Lease>();
  /** How many of the held leases belong to runs. */
  private running = 0;
  private readonly keepAlive = new KeepAlive();
  /** The number of claims in progress, by their gate. */
  private readonly claims = { runs: 0, nested: 0, locks: 0 };
  /** Called when no majority of the nodes has answered a claim. */
  onOutage: (() => void) | undefined;
  /** Each is called once: when the last claim of a gate has been decided, or when a lease has ended. */
  private readonly onEnd = new Set<() => void>();
  /**
   * Each is aborted when no more claims may be made: `runs` for runs, `nested` for those inside a run in progress, and
   * `locks` for locks.
   */
  private readonly closing = {
    runs: new AbortController(),
    nested: new AbortController(),
    locks: new AbortController(),
  };

  constructor(
    private readonly acquirer: Acquirer,
    private readonly log: OperatorLog,
    private readonly busyDelay: BusyDelay,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Makes a claim, and keeps the lease if it is granted. */
  async acquire(claim: Claim, settings: LeaseSettings, timing: ClaimTiming = {}): Promise<Lease | Denial> {
    const { delay = 0, wait = 0, yields = false, isNested = false } = timing;
    const isRun = settings.run !== undefined;
    const gate = isRun ? (isNested ? 'nested' : 'runs') : 'locks';
    const { signal } = this.closing[gate];
    // Counted until the lease is registered: otherwise a shutdown in between would not wait for the run.
    this.claims[gate]++;
    try {
      if (delay > 0) await sleep(this.clock, delay, signal);
      const busyDelay = yields ? this.busyDelayOf(settings.name, timing) : 0;
      if (busyDelay > 0) await sleep(this.clock, busyDelay, signal);
      if (signal.aborted) return SHUTDOWN;
      const answer = await this.acquirer.acquire(claim, settings.ttl, wait, signal, timing);
      if (!signal.aborted || answer.kind === 'granted') this.log.answered(answer);
      if (isDown(answer)) this.onOutage?.();
      if (answer.kind === 'denied') return signal.aborted ? SHUTDOWN : answer;
      // A run that is granted during shutdown still runs: the other instances have already lost the tick.
      if (gate === 'runs' || !signal.aborted) return this.hold(answer, settings, claim.lock);
      // A lock that is granted after the end would never be released, and a nested run would be aborted at once.
      await answer.release().catch(() => {});
      return SHUTDOWN;
    } finally {
      if (--this.claims[gate] === 0) this.noteEnd();
    }
  }

  /** A lease without a lock. Shutdown waits for such a lease, too. No other instance takes its tick over. */
  unguarded(settings: LeaseSettings): Lease {
    return this.hold(UNGUARDED, { ...settings, recovers: false });
  }

  /** How many leases it holds, of runs and of locks. */
  get size(): number {
    return this.held.size;
  }

  /** The runs in progress. */
  get runs(): Lease[] {
    return [...this.held].filter(({ run }) => run);
  }

  /**
   * Whether no new run may begin, except inside runs in progress: the application is closing, perhaps while it starts,
   * or has been closed.
   */
  get isClosed(): boolean {
    return this.closing.runs.signal.aborted;
  }

  /** From now on, no new run may begin, except inside runs in progress. */
  close(): void {
    this.closing.runs.abort();
  }

  /**
   * Resolves when the claims of runs that are in progress have been decided. It has no timeout: a tick that is granted
   * now is lost to the other instances, and these claims end soon.
   */
  async claimsDecided(): Promise<void> {
    while (this.claims.runs > 0) await this.nextEnd();
  }

  /**
   * Waits for the runs in progress, and for the claims inside them, for up to `timeout` milliseconds or until `hurry`
   * aborts. Then stops these claims, aborts the remaining runs, gives them a second to stop, and settles them, or
   * leaves their ticks to other instances if they recover.
   * Locks from `lock()` are kept: code may still need them while the application closes.
   */
  async drain(timeout: number, hurry: AbortSignal): Promise<void> {
    await this.quietWithin(timeout, hurry);
    this.closing.nested.abort();
    while (this.claims.nested > 0) await this.nextEnd();
    if (this.runs.length === 0) return;
    for (const lease of this.runs) {
      const what = lease.recovers ? 'run that another instance takes over' : 'run';
      lease.abort(new ShutdownError(lease.name, what));
    }
    await this.quietWithin(ABORT_GRACE);
    await Promise.all(this.runs.map((lease) => lease.finish()));
  }

  /** At the very end: releases the remaining locks, and acquires no more. */
  async end(): Promise<void> {
    for (const gate of Object.values(this.closing)) gate.abort();
    // Locks that are won now must be released before the connections close.
    while (this.claims.locks > 0) await this.nextEnd();
    for (const lease of this.held) lease.abort(new ShutdownError(lease.name, lease.run ? 'run' : 'lock'));
    await Promise.all([...this.held].map((lease) => lease.finish()));
    this.keepAlive.stop();
  }

  private busyDelayOf(name: string, { buffer }: Patience): number {
    const delay = this.busyDelay.of(this.running);
    if (delay === 0 || buffer === undefined) return delay;
    // A tick that waits for a run on this instance does not yield: it starts as soon as that run ends.
    return this.runs.some((lease) => lease.name === name) ? 0 : delay;
  }

  private hold(grant: Grant, settings: LeaseSettings, lock = ''): Lease {
    const lease = new Lease(grant, settings, this.clock);
    this.held.add(lease);
    if (lease.run && this.running++ === 0) this.keepAlive.begin();
    lease.onNotReleased = (error) => this.log.notReleased(lease.name, error);
    lease.onEnded = () => {
      this.held.delete(lease);
      if (lease.run && --this.running === 0) this.keepAlive.end();
      this.acquirer.freed(lock);
      this.noteEnd();
    };
    return lease;
  }

  /** Whether neither a run nor a claim inside one is in progress. */
  private get isQuiet(): boolean {
    return this.running === 0 && this.claims.nested === 0;
  }

  private async quietWithin(timeout: number, hurry?: AbortSignal): Promise<void> {
    if (this.isQuiet) return;
    // Not `AbortSignal.any`: Node.js 20 never releases the signal, which keeps the whole application in memory.
    const cancel = new AbortController();
    if (hurry?.aborted) cancel.abort();
    const forget = hurry && onAbort(hurry, () => cancel.abort());
    // Work takes real time, even if a test moves the clock.
    const over = sleep(systemClock, timeout, cancel.signal).then(() => true);
    while (!this.isQuiet && !(await Promise.race([this.nextEnd(), over])));
    forget?.();
    cancel.abort();
  }

  private nextEnd(): Promise<void> {
    return new Promise((resolve) => this.onEnd.add(resolve));
  }

  private noteEnd(): void {
    // Few ends of a lease are waited for, and clearing a set allocates memory.
    if (this.onEnd.size === 0) return;
    for (const resolve of this.onEnd) resolve();
    this.onEnd.clear();
  }
}
