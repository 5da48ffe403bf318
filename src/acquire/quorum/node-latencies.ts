import type { LockNode } from '../../nodes/lock-node.js';
import { leadWait } from './vote-waits.js';

/** The latency of the lead node is at most `factor` times the lowest one plus `milliseconds`. */
const SLOW = { factor: 4, milliseconds: 5 };
/** After this many contested attempts, a contested vote waits even for nodes that are known to be slow. */
const WAIT_FOR_SLOW_AFTER = 4;
/** The weight of a new, slower answer in a node's latency: a single slow answer may be the fault of this process. */
const SLOWER_WEIGHT = 0.1;

/** How long each node takes to answer this instance. This determines the lead node. */
export class NodeLatencies {
  /** In milliseconds; infinite after a failure. */
  private readonly latencies = new Map<LockNode, number>();

  constructor(private readonly nodes: readonly LockNode[]) {}

  /** The lead node: the first, in the order that all instances share, that is not known to be slow or down. */
  lead(): LockNode | undefined {
    return this.nodes.find((each) => !this.isSlow(each));
  }

  /**
   * How long to wait for the lead node before the others are asked too, in milliseconds.
   *
   * @param contested How many attempts before this one were contested (see `Store.vote`).
   */
  leadWait(lead: LockNode, contested = 0): number {
    return leadWait(this.isDown(lead) ? 0 : this.of(lead), contested);
  }

  /** Whether a node is much slower than the fastest one, or failed when it was last asked (unless all nodes did). */
  isSlow(node: LockNode): boolean {
    return this.of(node) > Math.min(...this.latencies.values()) * SLOW.factor + SLOW.milliseconds;
  }

  /** Whether a contested vote does not wait for a node: it is down, or it is slow and few attempts were contested. */
  maySkip(node: LockNode, contested: number): boolean {
    return this.isDown(node) || (contested < WAIT_FOR_SLOW_AFTER && this.isSlow(node));
  }

  /** Whether a node failed when it was last asked. */
  isDown(node: LockNode): boolean {
    return this.of(node) === Number.POSITIVE_INFINITY;
  }

  /**
   * @param latency In milliseconds; infinite after a failure.
   * @param wasQueued Whether the node answered other instances first: the latency then includes that wait.
   */
  note(node: LockNode, latency: number, wasQueued = false): void {
    const before = this.of(node);
    if (wasQueued && latency >= before && latency < this.leadWait(node)) return;
    const isSlower = this.latencies.has(node) && Number.isFinite(latency) && latency > before;
    this.latencies.set(node, isSlower ? before + (latency - before) * SLOWER_WEIGHT : latency);
  }

  private of(node: LockNode): number {
    return this.latencies.get(node) ?? 0;
  }
}
