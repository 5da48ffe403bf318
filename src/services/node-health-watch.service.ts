import { Inject, Injectable } from '@nestjs/common';
import { answersOthers } from '../acquire/outcome.js';
import type { Clock } from '../clock.js';
import { redacted } from '../display.js';
import { errorOf, NodeUnreachableError } from '../errors.js';
import type { LockNode } from '../nodes/lock-node.js';
import type { NodeHealth } from '../records/health.js';
import { CLOCK, LOCK_NODES } from '../redlock.module-definition.js';

/** How far clocks may differ, in milliseconds (see docs/guarantees.md). */
const CLOCK_TOLERANCE = 30_000;

/** Remembers how each node has answered. */
@Injectable()
export class NodeHealthWatch {
  private readonly known = new Map<LockNode, NodeHealth>();
  /** The nodes that have answered last time, or answer other commands. */
  private readonly answering = new Set<LockNode>();
  private readonly offsets = new Map<LockNode, number>();

  constructor(
    @Inject(LOCK_NODES) private readonly nodes: readonly LockNode[],
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** All nodes that have been asked, in the order of the option. */
  get all(): NodeHealth[] {
    return this.nodes.flatMap((node) => {
      const known = this.known.get(node);
      return known ? { ...known, since: new Date(known.since) } : [];
    });
  }

  /** Whether a majority of the nodes votes. */
  get hasQuorum(): boolean {
    return 2 * this.all.filter(({ votes }) => votes).length > this.nodes.length;
  }

  /** Whether a majority of the nodes answers, even if it refuses, or is late with, what `measure` asks. */
  get isAnswered(): boolean {
    return 2 * this.answering.size > this.nodes.length;
  }

  /**
   * The largest (by absolute value) of the latest clock differences of the nodes, in milliseconds; `null` if none is
   * known.
   */
  get clockOffset(): number | null {
    const offsets = [...this.offsets.values()];
    return offsets.length === 0 ? null : offsets.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  }

  /**
   * By how far the clock of this process is ahead of that of most nodes, in milliseconds; 0 if that is not known, and at
   * most what clocks may differ by.
   */
  get clockAhead(): number {
    const offsets = [...this.offsets.values()].toSorted((a, b) => a - b);
    const ahead = -(offsets[Math.floor(offsets.length / 2)] ?? 0);
    return Math.min(Math.max(0, ahead), CLOCK_TOLERANCE);
  }

  /** A node has told the time. @param offset Its clock minus that of this process, in milliseconds. */
  told(node: LockNode, offset: number): void {
    this.offsets.set(node, Math.round(offset));
  }

  /** Asks a node, and remembers whether and how fast it has answered. Never rejects. */
  async measure(node: LockNode, ask: () => Promise<void>): Promise<void> {
    const asked = this.clock.elapsed();
    let trouble: string | null = null;
    let votes = true;
    let answers = true;
    try {
      await ask();
    } catch (error) {
      const cause = errorOf(error);
      trouble = redacted(cause.message);
      answers = answersOthers(cause);
      // In a Cluster, only the server that has the register may be dead, while jobs run on the others.
      votes = cause instanceof NodeUnreachableError && cause.scope === 'lock';
    }
    if (answers) this.answering.add(node);
    else this.answering.delete(node);
    const before = this.known.get(node);
    this.known.set(node, {
      address: redacted(node.address),
      votes,
      since: before?.votes === votes ? before.since : new Date(this.clock.now()),
      latency: trouble === null ? this.clock.elapsed() - asked : null,
      clockOffset: this.offsets.get(node) ?? null,
      trouble,
    });
  }
}
