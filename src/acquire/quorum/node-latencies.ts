import type { LockNode } from '../../nodes/lock-node.js';

/** A node that is slower than the fastest by more than this cannot be the lead node. */
const SLOW = { factor: 4, milliseconds: 5 };
/**
 * How long the lead node may take before the others are asked too, as a multiple of its latency, but at least this many
 * milliseconds. If nodes are far away and it had less time, contenders would not queue at the lead node after a split
 * vote, and their votes would be split again and again.
 */
const LEAD_TIMEOUT = { factor: 2, least: 100 };
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

  /** How long to wait for the lead node before the others are asked too, in milliseconds. */
  leadTimeout(lead: LockNode): number {
    const latency = this.isDown(lead) ? 0 : this.of(lead);
    return Math.max(LEAD_TIMEOUT.least, LEAD_TIMEOUT.factor * latency);
  }

  /** Whether a node is much slower than the fastest one, or failed when it was last asked (unless all nodes did). */
  isSlow(node: LockNode): boolean {
    return this.of(node) > Math.min(...this.latencies.values()) * SLOW.factor + SLOW.milliseconds;
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
    if (wasQueued && latency >= before && latency < this.leadTimeout(node)) return;
    const isSlower = this.latencies.has(node) && Number.isFinite(latency) && latency > before;
    this.latencies.set(node, isSlower ? before + (latency - before) * SLOWER_WEIGHT : latency);
  }

  private of(node: LockNode): number {
    return this.latencies.get(node) ?? 0;
  }
}
