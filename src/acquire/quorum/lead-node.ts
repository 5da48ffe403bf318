import type { Clock, Timer } from '../../clock.js';
import type { Conflict, LockNode, Vote } from '../../nodes/lock-node.js';

/** A node that is slower than the fastest by more than this cannot be the lead node. */
const SLOW = { factor: 4, milliseconds: 5 };
/** The weight of a new, slower answer in a node's latency: a single slow answer may be the fault of this process. */
const SLOWER_WEIGHT = 0.1;
/** How long the lead node may take before the others are asked too, in milliseconds. */
const LEAD_NODE_TIMEOUT = 100;

/**
 * Saves losers the round trip to every node. The instances of a fleet claim a tick in the same millisecond, and all but
 * one lose: an instance that the lead node denies need not ask the others. The lead node decides nothing: a winner
 * still needs a majority, and the first few losers ask all nodes a moment later, so that no tick depends on one
 * instance. After a split vote, contenders queue at the lead node.
 */
export class LeadNode {
  /** How long each node takes to answer, in milliseconds; infinite after a failure. */
  private readonly latencies = new Map<LockNode, number>();

  constructor(
    private readonly nodes: readonly LockNode[],
    private readonly clock: Clock,
  ) {}

  /** Picks the lead node: the first, in the order that all instances share, that is not known to be slow or down. */
  ask(): LeadVote | undefined {
    const node = this.nodes.find((each) => !this.isSlow(each));
    return node && new LeadVote(node, this.clock);
  }

  /** Whether a node is much slower than the fastest one, or failed when it was last asked. */
  isSlow(node: LockNode): boolean {
    return this.latencyOf(node) > Math.min(...this.latencies.values()) * SLOW.factor + SLOW.milliseconds;
  }

  /** Whether a node failed when it was last asked. */
  isDown(node: LockNode): boolean {
    return this.latencyOf(node) === Number.POSITIVE_INFINITY;
  }

  /**
   * @param latency In milliseconds; infinite after a failure.
   * @param wasQueued Whether the node answered other instances first: the latency then includes that wait.
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
  /** Resolves to whether to ask the other nodes. */
  readonly isPassed: Promise<boolean>;
  /** The conflict with another claim that the lead node reported, if any. */
  conflict: Conflict | undefined;
  private resolve: ((isPassed: boolean) => void) | undefined;
  private readonly timer: Timer;

  constructor(
    readonly node: LockNode,
    private readonly clock: Clock,
  ) {
    this.isPassed = new Promise((resolve) => (this.resolve = resolve));
    this.timer = clock.setTimeout(() => this.end(true), LEAD_NODE_TIMEOUT);
  }

  /** Takes the vote of the lead node; `undefined` if it failed, or named an earlier attempt of the claim as holder. */
  decide(vote: Vote | undefined): void {
    if (!this.resolve) return;
    if (vote && 'holder' in vote) this.conflict = vote;
    this.end(!this.conflict && vote?.kind !== 'settled');
  }

  private end(isPassed: boolean): void {
    this.clock.clearTimeout(this.timer);
    this.resolve?.(isPassed);
    this.resolve = undefined;
  }
}
