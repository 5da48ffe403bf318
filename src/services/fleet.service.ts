import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { uniqueId } from '../acquire/token.js';
import { redacted } from '../display.js';
import { StoreDownError } from '../errors.js';
import { askAll } from '../nodes/ask-all.js';
import { JobKeys } from '../nodes/job-keys.js';
import type { LockNode } from '../nodes/lock-node.js';
import type { ResolvedOptions } from '../options/options.js';
import { decodeCard, encodeCard, type FleetInstance, type FleetJob } from '../records/fleet-card.js';
import { CLOCK, LOCK_NODES, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { VERSION } from '../version.js';
import { JobCatalog } from './job-catalog.service.js';
import { NodeHealthWatch } from './node-health-watch.service.js';

/** How often an instance renews its entry, in milliseconds: as often as an idle connection has to be used anyway. */
export const BEAT = 10_000;
/** How long the entry of an instance that is gone remains, in milliseconds. */
export const KEPT = 3 * BEAT + 5000;

/** The register of the fleet: this instance enters itself on all nodes, and lists all instances. */
@Injectable()
export class Fleet {
  private readonly keys;
  private readonly startedAt: Date;
  /** Not the instance id alone: another instance may have the same one by mistake. */
  private readonly entryId;
  private card: string | undefined;
  /** The nodes that have the card. */
  private readonly informed = new Set<LockNode>();

  constructor(
    @Inject(LOCK_NODES) private readonly nodes: readonly LockNode[],
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) clock: Clock,
    private readonly jobs: JobCatalog,
    private readonly health: NodeHealthWatch,
  ) {
    this.startedAt = new Date(clock.now());
    this.entryId = `${options.instanceId}#${uniqueId()}`;
    this.keys = new JobKeys(options.keyPrefix, '').fleet;
  }

  /** From now on, each beat registers this instance, with the jobs that it declares now. */
  join(): void {
    this.card = encodeCard(this.self());
    this.informed.clear();
  }

  leave(): void {
    this.card = undefined;
  }

  get hasJoined(): boolean {
    return this.card !== undefined;
  }

  /**
   * The instances that at least one node knows.
   *
   * @throws StoreDownError if no node answers.
   */
  async list(): Promise<FleetInstance[]> {
    const { answers, causes } = await askAll(this.nodes, (node) => node.registered(this.keys));
    if (answers.length === 0) throw new StoreDownError('', causes, 'No node could list the instances');
    // The card of an instance is the same on all nodes.
    const found = [...new Set(answers.flat())].flatMap((card) => decodeCard(card) ?? []);
    return found.toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  }

  /** Renews the entry of this instance on all nodes. */
  async beat(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.renew(node)));
  }

  private async renew(node: LockNode): Promise<void> {
    await this.health.measure(node, async () => {
      // A card can be long, so it is not sent again to a node that has it.
      if (this.informed.has(node) && (await node.register(this.keys, this.entryId, KEPT))) return;
      const { card } = this;
      await node.register(this.keys, this.entryId, KEPT, card);
      // The jobs may have changed meanwhile.
      if (card !== undefined && card === this.card) this.informed.add(node);
    });
  }

  private self(): FleetInstance {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    return {
      instanceId: this.options.instanceId,
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      startedAt: this.startedAt,
      nodes: this.nodes.map(({ address }) => redacted(address)),
      clockOffset: this.health.clockOffset,
      jobs: this.jobs.list().map((job): FleetJob => {
        const { schedule, options } = job;
        // A schedule without a time zone of its own depends on that of the process.
        const zone = schedule.kind === 'cron' ? (schedule.timeZone ?? timeZone) : null;
        const what = JSON.stringify([schedule, zone, options]);
        const fingerprint = createHash('sha1').update(what).digest('hex').slice(0, 8);
        return { name: job.name, declaredAs: job.declaredAs, fingerprint };
      }),
    };
  }
}
