import type { Claim, LockNode, NodeReport, Vote } from '../nodes/lock-node.js';
import { MemoryNode } from '../nodes/memory-node.js';

/** The store of a fleet in one process, with a clock that jumps. */
export class SharedMemory {
  private readonly node: MemoryNode;
  private readonly instances: InstanceMemory[] = [];

  /** @param clock The current time, in milliseconds since the epoch. */
  constructor(clock: () => number) {
    this.node = new MemoryNode(clock);
  }

  /** The store as one instance sees it. */
  forInstance(): LockNode {
    const instance = new InstanceMemory(this.node);
    this.instances.push(instance);
    return instance;
  }

  /**
   * Must be called synchronously when the clock jumps: leases are renewed by timers, which have not fired meanwhile, so
   * runs in progress would lose their locks.
   */
  renewAll(): void {
    for (const instance of this.instances) instance.renewAll();
  }
}

class InstanceMemory implements LockNode {
  readonly address: string;
  /** The renewal of each held lock, by token. */
  private readonly renewals = new Map<string, () => Promise<boolean>>();

  constructor(private readonly node: MemoryNode) {
    this.address = node.address;
  }

  async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    const vote = await this.node.claim(claim, token, ttl);
    if (vote.kind === 'granted') this.renewals.set(token, () => this.node.extend(claim, token, ttl));
    return vote;
  }

  async extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    const isHeld = await this.node.extend(claim, token, ttl);
    if (isHeld) this.renewals.set(token, () => this.node.extend(claim, token, ttl));
    return isHeld;
  }

  settle(claim: Claim, token: string): Promise<boolean> {
    this.renewals.delete(token);
    return this.node.settle(claim, token);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    this.renewals.delete(token);
    return this.node.release(claim, token);
  }

  // All instances share one clock.
  async open(): Promise<NodeReport> {
    return { ...(await this.node.open()), clockOffset: 0 };
  }

  /** A closed instance renews nothing, so that other instances can take over its ticks. */
  close(): Promise<void> {
    this.renewals.clear();
    return Promise.resolve();
  }

  renewAll(): void {
    for (const renew of this.renewals.values()) void renew();
  }
}
