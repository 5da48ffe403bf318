import type { Conflict, LockNode, Vote } from '../../nodes/lock-node.js';

/** A node that is slower than the fastest by more than this does not lead. */
const SLOW = { factor: 4, milliseconds: 5 };
/** The weight of a new, slower answer in the latency of a node: a single one may have waited for this process. */
const SLOWER_WEIGHT = 0.1;
/** How long the lead node may take before the others are asked too, in milliseconds. */
const LEAD_NODE_TIMEOUT = 100;

/**
 * Saves losers the round trip to every node. The instances of a fleet claim a tick in the same millisecond, and all but one
 * lose: whoever is denied by the lead node need not ask the others. The lead node decides nothing: a winner still needs a
 * majority, and the first few losers ask all nodes a moment later, so that no tick depends on one instance. Contenders that
 * have split a vote queue at it.
 */
export class LeadNode {
  /** How long each node takes to answer, in milliseconds; infinite after a failure. */
  private readonly latencies = new Map<LockNode, number>();

  constructor(private readonly nodes: readonly LockNode[]) {}

  /** Picks the lead node: the first, in the order that all instances share, that is not known to be slow or down. */
  ask(): LeadVote | undefined {
    const node = this.nodes.find((each) => !this.isSlow(each));
    return node && new LeadVote(node);
  }

  /** Whether a node is much slower than the fastest, or failed when it was last asked. */
  isSlow(node: LockNode): boolean {
    return this.latencyOf(node) > Math.min(...this.latencies.values()) * SLOW.factor + SLOW.milliseconds;
  }

  /** Whether a node failed when it was last asked. */
  isDown(node: LockNode): boolean {
    return this.latencyOf(node) === Number.POSITIVE_INFINITY;
  }

  /**
   * @param latency In milliseconds; infinite after a failure.
   * @param wasQueued Whether the node answered other instances first, so that its latency is not its own.
   */
  recordLatency(node: LockNode, latency: number, wasQueued = false): void {
    if (wasQueued && latency < LEAD_NODE_TIMEOUT) return;
    const before = this.latencyOf(node);
    const isSlower = this.latencies.has(node) && Number.isFinite(latency) && latency > before;
    this.latencies.set(node, isSlower ? before + (latency - before) * SLOWER_WEIGHT : latency);
  }

  private latencyOf(node: LockNode): number {
    return this.latencies.get(node) ?? 0;
  }
}

/** The vote of the lead node on one claim. */
export class LeadVote {
  /** Whether the other nodes are to be asked. */
  readonly isPassed: Promise<boolean>;
  /** The claim that won at the lead node, if another one did. */
  conflict: Conflict | undefined;
  private resolve: ((isPassed: boolean) => void) | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(readonly node: LockNode) {
    this.isPassed = new Promise((resolve) => (this.resolve = resolve));
    this.timer = setTimeout(() => this.end(true), LEAD_NODE_TIMEOUT);
  }

  /** Takes the answer of the lead node; `undefined`: it has none. */
  decide(vote: Vote | undefined): void {
    if (!this.resolve) return;
    if (vote && 'holder' in vote) this.conflict = vote;
    this.end(!this.conflict && vote?.kind !== 'settled');
  }

  private end(isPassed: boolean): void {
    clearTimeout(this.timer);
    this.resolve?.(isPassed);
    this.resolve = undefined;
  }
}
