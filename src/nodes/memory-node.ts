import { randomUUID } from 'node:crypto';
import {
  type Claim,
  EARLY_CLAIM,
  KEEP_LAST,
  type LockNode,
  type Marker,
  type NodeReport,
  type Refusal,
  TAKEOVER,
  type Vote,
} from './lock-node.js';

interface Entry {
  value: string;
  /** On the clock that measures lifetimes. */
  endsAt: number;
}

/**
 * A voting node in the memory of this process: for tests, development, and applications of one instance. Two
 * applications in one process that are given the same `MemoryNode` exclude each other; two processes never do.
 *
 * @example
 * RedlockModule.forRoot({ nodes: new MemoryNode() })
 */
export class MemoryNode implements LockNode {
  readonly address: string;
  private readonly identity = randomUUID();
  private readonly entries = new Map<string, Entry>();
  /** When the next sweep for ended keys is due: a key that nobody asks for again must go too. */
  private sweepAt = 0;
  private readonly now: () => number;
  private readonly elapsed: () => number;

  /**
   * @param clock What the node takes for the time, in milliseconds since the epoch; a test moves it by hand. Default:
   * `Date.now` for when a tick is due, and the monotonic clock for how long a key lives.
   */
  constructor(clock?: () => number) {
    this.now = clock ?? Date.now;
    this.elapsed = clock ?? (() => performance.now());
    this.address = `memory:${this.identity.slice(0, 8)}`;
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    const objection = this.objection(claim, token);
    if (objection) return Promise.resolve(objection);
    this.sweep();
    const lease = leaseOf(claim, ttl);
    this.write(claim.lock, token, lease);
    if (claim.tick) this.write(claim.tick.key, token, claim.tick.recover ? lease : claim.tick.keep);
    if (claim.every) this.write(claim.every.key, token, claim.every.keep);
    return Promise.resolve({ vote: 'granted' });
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    const holder = this.read(claim.lock);
    if (holder !== undefined && holder !== token) return Promise.resolve(false);
    const lease = leaseOf(claim, ttl);
    this.write(claim.lock, token, lease);
    if (claim.tick?.recover) this.write(claim.tick.key, token, lease);
    return Promise.resolve(true);
  }

  settle(claim: Claim, token: string): Promise<boolean> {
    const held = this.removeIfHeld(claim.lock, token);
    const { tick } = claim;
    if (tick) {
      this.write(tick.key, token, tick.keep);
      if (!(this.settledTick(tick.last) >= tick.at)) {
        this.write(tick.last, String(tick.at), tick.keep + KEEP_LAST);
      }
    }
    return Promise.resolve(held);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    if (claim.tick?.isTakeover) {
      const isHeld = this.shortenIfHeld(claim.lock, token);
      this.shortenIfHeld(claim.tick.key, token);
      return Promise.resolve(isHeld);
    }
    const held = this.removeIfHeld(claim.lock, token);
    if (claim.tick) this.removeIfHeld(claim.tick.key, token);
    if (claim.every) this.removeIfHeld(claim.every.key, token);
    return Promise.resolve(held);
  }

  open(): Promise<NodeReport> {
    return Promise.resolve({ identity: this.identity, warnings: [], clockOffset: this.now() - Date.now() });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private objection({ lock, tick, every, late }: Claim, token: string): Vote | undefined {
    let holder = this.read(lock);
    let dead: string | undefined;
    if (tick) {
      if (this.settledTick(tick.last) >= tick.at) return { vote: 'settled' };
      const wait = tick.at - this.now();
      if (wait > EARLY_CLAIM) return { vote: 'early', wait };
      const runner = this.entry(tick.key);
      if (runner && runner.value !== token) {
        const lease = runner.endsAt - this.elapsed() - TAKEOVER;
        if (!tick.recover) return this.refusal('elsewhere', runner.value, late);
        if (lease > 0) return this.refusal('elsewhere', runner.value, late, lease);
        dead = runner.value;
        if (holder === dead) holder = undefined;
      }
    }
    const starter = every && this.read(every.key);
    if (starter !== undefined && starter !== token && starter !== dead) {
      return this.refusal(starter === holder ? 'elsewhere' : 'ran', starter, late);
    }
    return holder === undefined || holder === token ? undefined : this.refusal('overlap', holder, late);
  }

  private refusal(vote: Refusal['vote'], holder: string, late: Marker | undefined, lease?: number): Refusal {
    if (!late) return { vote, holder, lease };
    const rank = Number(this.read(late.key) ?? 0) + 1;
    this.write(late.key, String(rank), late.keep);
    return { vote, holder, lease, rank };
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

  private write(key: string, value: string, ttl: number): void {
    this.entries.set(key, { value, endsAt: this.elapsed() + ttl });
  }

  private removeIfHeld(key: string, token: string): boolean {
    return this.read(key) === token && this.entries.delete(key);
  }

  private shortenIfHeld(key: string, token: string): boolean {
    if (this.read(key) !== token) return false;
    this.write(key, token, TAKEOVER);
    return true;
  }

  private sweep(): void {
    const now = this.elapsed();
    if (now < this.sweepAt) return;
    this.sweepAt = now + 1000;
    for (const [key, entry] of this.entries) if (entry.endsAt <= now) this.entries.delete(key);
  }
}

/** How long the lock itself lives: longer than the lease, where the tick can be taken over. */
function leaseOf({ tick }: Claim, ttl: number): number {
  return tick?.recover ? ttl + TAKEOVER : ttl;
}
