import type { Claim, Vote } from '../nodes/lock-node.js';
import { MemoryNode } from '../nodes/memory-node.js';

/** The store of a fleet in one process, by a clock that jumps. */
export class SharedMemory extends MemoryNode {
  /** How to renew each lock that is held, by its token. */
  private readonly renewals = new Map<string, () => Promise<boolean>>();

  override async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    const vote = await super.claim(claim, token, ttl);
    if (vote.kind === 'granted') this.renewals.set(token, () => super.extend(claim, token, ttl));
    return vote;
  }

  override async extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    const isHeld = await super.extend(claim, token, ttl);
    if (isHeld) this.renewals.set(token, () => super.extend(claim, token, ttl));
    return isHeld;
  }

  override settle(claim: Claim, token: string): Promise<boolean> {
    this.renewals.delete(token);
    return super.settle(claim, token);
  }

  override release(claim: Claim, token: string): Promise<boolean> {
    this.renewals.delete(token);
    return super.release(claim, token);
  }

  // The instances go by the same clock.
  override async open(): ReturnType<MemoryNode['open']> {
    return { ...(await super.open()), clockOffset: 0 };
  }

  /**
   * After the clock has jumped, and in the same turn: leases are renewed by timers, which have not come meanwhile, and
   * the runs in progress would lose their locks.
   */
  renewAll(): void {
    for (const renew of this.renewals.values()) void renew();
  }
}
