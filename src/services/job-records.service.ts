import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { StoreDownError } from '../errors.js';
import { askAll } from '../nodes/ask-all.js';
import { JobKeys } from '../nodes/job-keys.js';
import type { LockNode } from '../nodes/lock-node.js';
import type { ResolvedOptions } from '../options/options.js';
import { type MergedView, mergedView } from '../records/merged-view.js';
import { CLOCK, LOCK_NODES, RESOLVED_OPTIONS } from '../redlock.module-definition.js';

/** Reads what the nodes know about jobs. */
@Injectable()
export class JobRecords {
  constructor(
    @Inject(LOCK_NODES) private readonly nodes: readonly LockNode[],
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Asks all nodes once, and merges the answers.
   *
   * @param limit The maximum number of records to read from each node.
   * @throws StoreDownError if no node answers.
   */
  view(name: string, limit: number): Promise<MergedView> {
    return this.viewOf(name, limit, 1);
  }

  /**
   * The same, for when it matters that a run is not on record: one node may have missed it, but not a majority.
   *
   * @throws StoreDownError if no majority of the nodes answers.
   */
  quorumView(name: string, limit: number): Promise<MergedView> {
    return this.viewOf(name, limit, Math.floor(this.nodes.length / 2) + 1);
  }

  private async viewOf(name: string, limit: number, needed: number): Promise<MergedView> {
    const { lock, last, begun, records, pause } = new JobKeys(this.options.keyPrefix, name);
    const job = { lock, last, begun, records, pause };
    const { answers, causes } = await askAll(this.nodes, (node) => node.look(job, limit));
    if (answers.length < needed) {
      const who = needed === 1 ? 'No node' : 'No quorum of the nodes';
      throw new StoreDownError(name, causes, `${who} could report on ${quoted(name)}`);
    }
    return mergedView(answers, this.nodes.length, this.clock.now());
  }
}
