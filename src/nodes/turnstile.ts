import type { LockNode, Refusal, Vote } from './lock-node.js';

/** A node that is slower than the fastest by more than this is not asked first. */
const SLOW = { factor: 4, milliseconds: 5 };
/** How much a newest answer that is slower counts for the pace of a node: one alone may have waited for this process. */
const SLOWER_PART = 0.1;
/** How long the first node may take before the others are asked too, in milliseconds. */
const PATIENCE = 100;

/**
 * Spares those who lose the way to all nodes. The instances of a fleet claim a tick at the same millisecond, and all
 * but one lose: who is turned away by one node need not ask the others. It decides nothing: who passes still needs a
 * majority, and the first few who are turned away ask all nodes a moment later, so that no tick rests on the one that
 * passed. Contenders that have split a vote go through it one by one.
 */
export class Turnstile {
  /** How long each node takes to answer, in milliseconds; endless after a failure. */
  private readonly paces = new Map<LockNode, number>();

  constructor(private readonly nodes: readonly LockNode[]) {}

  /** Leads by the first node, in the order that all instances share, that is not known to be slow or down. */
  enter(): Passage | undefined {
    const first = this.nodes.find((node) => !this.isSlow(node));
    return first && new Passage(first);
  }

  /** Whether it is slower than the fastest by far, or failed when it was last asked. */
  isSlow(node: LockNode): boolean {
    return this.paceOf(node) > Math.min(...this.paces.values()) * SLOW.factor + SLOW.milliseconds;
  }

  /**
   * Notes how long a node took, or that it failed. `isFromCrowd`: it turned the claim away, and so answered others of
   * the fleet first, which says little about it, and something else to each instance.
   */
  note(node: LockNode, pace: number, isFromCrowd = false): void {
    if (isFromCrowd && pace < PATIENCE) return;
    const before = this.paceOf(node);
    const isSlower = this.paces.has(node) && Number.isFinite(pace) && pace > before;
    this.paces.set(node, isSlower ? before + (pace - before) * SLOWER_PART : pace);
  }

  /** Whether a node failed when it was last asked. */
  isDown(node: LockNode): boolean {
    return this.paceOf(node) === Number.POSITIVE_INFINITY;
  }

  private paceOf(node: LockNode): number {
    return this.paces.get(node) ?? 0;
  }
}

/** The way of one claim past its first node. */
export class Passage {
  /** Whether the other nodes are to be asked. */
  readonly isOpen: Promise<boolean>;
  /** What the first node said, if it closed the way. */
  turnedAway: Refusal | undefined;
  private decide: ((isOpen: boolean) => void) | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(readonly first: LockNode) {
    this.isOpen = new Promise((resolve) => (this.decide = resolve));
    this.timer = setTimeout(() => this.end(true), PATIENCE);
  }

  /** Takes the answer of the first node; `undefined`: it has none. */
  hear(vote: Vote | undefined): void {
    if (!this.decide) return;
    if (vote && 'holder' in vote) this.turnedAway = vote;
    this.end(!this.turnedAway && vote?.vote !== 'settled');
  }

  private end(isOpen: boolean): void {
    clearTimeout(this.timer);
    this.decide?.(isOpen);
    this.decide = undefined;
  }
}
