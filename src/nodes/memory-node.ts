import { randomUUID } from 'node:crypto';
import { systemClock } from '../clock.js';
import { shown } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { callback, readable } from '../options/checks.js';
import {
  type Claim,
  EARLY_CLAIM_TOLERANCE,
  LAST_TICK_RETENTION,
  type LockNode,
  type Marker,
  type NodeReport,
  type Conflict,
  TAKEOVER_WINDOW,
  type Vote,
} from './lock-node.js';

interface Entry {
  /** A token, or the newest settled tick. */
  value: string;
  /** For the marker of a tick: whether its claim may be taken over. */
  isRecoverable?: boolean;
  /** By the clock of `elapsed`. */
  endsAt: number;
}

/** A clock that throws `InvalidOptionError` unless it tells the time; it is read once to find out. */
function checkedClock(clock: () => number): () => number {
  const where = 'new MemoryNode()';
  callback(where, 'clock', clock);
  const read = (): number => {
    const now: unknown = readable(where, 'clock', clock);
    if (Number.isFinite(now)) return now as number;
    throw new InvalidOptionError(
      where,
      'clock',
      `must return milliseconds since the epoch, not ${shown(now)}`,
    );
  };
  read();
  return read;
}

/**
 * A voting node in the memory of this process, for tests, development and single-instance applications. Two
 * applications in one process that share a `MemoryNode` exclude each other; two processes never do.
 *
 * @example
 * RedlockModule.forRoot({ nodes: new MemoryNode() })
 */
export class MemoryNode implements LockNode {
  readonly address: string;
  private readonly identity = randomUUID();
  private readonly entries = new Map<string, Entry>();
  /** When the next sweep for expired keys is due: keys that are never read again must be removed, too. */
  private sweepAt = 0;
  private readonly now: () => number;
  private readonly elapsed: () => number;

  /**
   * @param clock The current time, in milliseconds since the epoch; a test moves it by hand. Default: `Date.now` for
   * when a tick is due, and the monotonic clock for how long a key lives.
   * @throws InvalidOptionError if `clock` is not a function that returns a number.
   */
  constructor(clock?: () => number) {
    const checked = clock === undefined ? undefined : checkedClock(clock);
    this.now = checked ?? systemClock.now;
    this.elapsed = checked ?? systemClock.elapsed;
    this.address = `memory:${this.identity.slice(0, 8)}`;
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    const answer = this.judge(claim, token);
    if (answer.kind !== 'granted') return Promise.resolve(answer);
    this.sweep();
    this.lease(claim, token, ttl);
    if (claim.tick && !claim.tick.recover) this.write(claim.tick.key, token, claim.tick.keep);
    if (claim.every) this.write(claim.every.key, token, claim.every.keep);
    return Promise.resolve(answer);
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    if (this.isTaken(claim, token)) return Promise.resolve(false);
    this.lease(claim, token, ttl);
    return Promise.resolve(true);
  }

  settle(claim: Claim, token: string): Promise<boolean> {
    const held = this.removeIfHeld(claim.lock, token);
    const { tick } = claim;
    if (tick && (this.read(tick.key) ?? token) === token) {
      this.write(tick.key, token, tick.keep);
      if (!(this.settledTick(tick.last) >= tick.at)) {
        this.write(tick.last, String(tick.at), tick.keep + LAST_TICK_RETENTION);
      }
    }
    return Promise.resolve(held);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    const { lock, tick, every } = claim;
    const held = this.read(lock) === token;
    if (tick?.isTakeover) {
      this.shortenIfHeld(lock, token, TAKEOVER_WINDOW);
      this.shortenIfHeld(tick.key, token, LAST_TICK_RETENTION);
    } else {
      this.removeIfHeld(lock, token);
      if (tick) this.removeIfHeld(tick.key, token);
    }
    if (every) this.removeIfHeld(every.key, token);
    return Promise.resolve(held);
  }

  open(): Promise<NodeReport> {
    return Promise.resolve({
      identity: this.identity,
      warnings: [],
      clockOffset: this.now() - systemClock.now(),
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private judge({ lock, tick, every, loserCounter }: Claim, token: string): Vote {
    let holder = this.read(lock);
    let dead: string | undefined;
    if (tick) {
      const last = this.settledTick(tick.last);
      const ahead = last - this.now();
      if (last >= tick.at)
        return ahead > EARLY_CLAIM_TOLERANCE ? { kind: 'settled', ahead } : { kind: 'settled' };
      const wait = tick.at - this.now();
      if (wait > EARLY_CLAIM_TOLERANCE) return { kind: 'early', wait };
      const runner = this.entry(tick.key);
      if (tick.mustBeBegun && !runner) return { kind: 'unbegun' };
      if (runner && runner.value !== token) {
        if (!runner.isRecoverable || !tick.recover)
          return this.conflict('elsewhere', runner.value, loserCounter);
        const lease = runner.endsAt - this.elapsed() - LAST_TICK_RETENTION;
        if (lease > 0) return this.conflict('elsewhere', runner.value, loserCounter, lease);
        dead = runner.value;
        if (holder === dead) holder = undefined;
      }
    }
    const starter = every && this.entry(every.key);
    if (every && starter && starter.value !== token && starter.value !== dead) {
      // The marker was written for a longer time, for example by a clock that was ahead.
      starter.endsAt = Math.min(starter.endsAt, this.elapsed() + every.keep);
      return this.conflict(starter.value === holder ? 'elsewhere' : 'ran', starter.value, loserCounter);
    }
    if (holder !== undefined && holder !== token) return this.conflict('overlap', holder, loserCounter);
    return dead === undefined ? { kind: 'granted' } : { kind: 'granted', dead };
  }

  /** Whether another claim has, or had in the meantime, what this one was granted. */
  private isTaken({ lock, tick, every, mayOverlap }: Claim, token: string): boolean {
    const isOther = (key: string): boolean => (this.read(key) ?? token) !== token;
    if (isOther(lock) || (tick && isOther(tick.key))) return true;
    const last = tick ? this.settledTick(tick.last) : Number.NaN;
    const isFree = this.read(lock) === undefined;
    if (tick && (last === tick.at || (last > tick.at && isFree && !mayOverlap))) return true;
    return every !== undefined && !mayOverlap && isOther(every.key);
  }

  /** Writes the keys that live as long as the lease, or somewhat longer if the tick can be taken over. */
  private lease({ lock, tick }: Claim, token: string, ttl: number): void {
    this.write(lock, token, tick?.recover ? ttl + TAKEOVER_WINDOW : ttl);
    if (tick?.recover) this.write(tick.key, token, ttl + LAST_TICK_RETENTION, true);
  }

  private conflict(
    kind: Conflict['kind'],
    holder: string,
    counter: Marker | undefined,
    lease?: number,
  ): Conflict {
    if (!counter) return { kind, holder, lease };
    const rank = Number(this.read(counter.key) ?? 0) + 1;
    this.write(counter.key, String(rank), counter.keep);
    return { kind, holder, lease, rank };
  }

  private settledTick(key: string): number {
    return Number(this.read(key) ?? Number.NaN);
  }

  private read(key: string): string | undefined {
    return this.entry(key)?.value;
  }

  private entry(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    return entry && entry.endsAt > this.elapsed() ? entry : undefined;
  }

  private write(key: string, value: string, ttl: number, isRecoverable = false): void {
    this.entries.set(key, { value, endsAt: this.elapsed() + ttl, isRecoverable });
  }

  private removeIfHeld(key: string, token: string): boolean {
    return this.read(key) === token && this.entries.delete(key);
  }

  private shortenIfHeld(key: string, token: string, ttl: number): void {
    const entry = this.entry(key);
    if (entry?.value === token) entry.endsAt = this.elapsed() + ttl;
  }

  private sweep(): void {
    const now = this.elapsed();
    if (now < this.sweepAt) return;
    this.sweepAt = now + 1000;
    for (const [key, entry] of this.entries) if (entry.endsAt <= now) this.entries.delete(key);
  }
}
