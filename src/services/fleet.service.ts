import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { Inject, Injectable } from '@nestjs/common';
import type { Clock, Timer } from '../clock.js';
import { redacted } from '../display.js';
import { StoreDownError } from '../errors.js';
import { inBackground } from '../in-background.js';
import { askAll } from '../nodes/ask-all.js';
import { JobKeys } from '../nodes/job-keys.js';
import type { LockNode } from '../nodes/lock-node.js';
import type { ResolvedOptions } from '../options/options.js';
import { decodeCard, encodeCard, type FleetInstance, type FleetJob } from '../records/fleet-card.js';
import { CLOCK, LOCK_NODES, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { VERSION } from '../version.js';
import { JobCatalog } from './job-catalog.service.js';
import { NodeHealthWatch } from './node-health.service.js';

/** How often an instance renews its entry, in milliseconds: as often as an idle connection has to be used anyway. */
const BEAT = 10_000;
/** How often the nodes are asked while no majority answers, in milliseconds. */
const BEAT_WHILE_DOWN = 500;
/** How long the entry of an instance that is gone remains, in milliseconds. */
export const KEPT = 3 * BEAT + 5000;

/** Registers this instance on all nodes, and lists the fleet. Each beat also shows which nodes answer. */
@Injectable()
export class Fleet {
  private readonly keys;
  private readonly startedAt: Date;
  private timer: Timer | undefined;
  private card: string | undefined;
  /** The nodes that have the card of this instance, not that of an earlier one with the same name. */
  private readonly informed = new Set<LockNode>();
  /** Set when no majority of the nodes has answered, until a majority answers again. */
  private isDown = false;
  private isTimed = true;
  private isStopped = false;
  /** When `onBeat` was last called, on the monotonic clock. */
  private calledAt = Number.NEGATIVE_INFINITY;
  /** Called after a beat, at most every five seconds. */
  onBeat: (() => Promise<void>) | undefined;
  /** Called when a majority of the nodes answers again. */
  onQuorum: (() => void) | undefined;

  constructor(
    @Inject(LOCK_NODES) private readonly nodes: readonly LockNode[],
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: JobCatalog,
    private readonly health: NodeHealthWatch,
  ) {
    this.startedAt = new Date(clock.now());
    this.keys = new JobKeys(options.keyPrefix, '').fleet;
  }

  /** Registers this instance now, and again with each beat. */
  start(): void {
    if (this.isStopped) return;
    this.card = encodeCard(this.self());
    void inBackground('Registering this instance', () => this.beatAndRepeat());
  }

  /**
   * No majority of the nodes answered. Asks them again soon, or, if `start` has not been called yet, when it is called.
   * Then repeats that until a majority answers: an outage may be shorter than the time between two beats.
   */
  suspect(): void {
    if (this.isDown) return;
    this.isDown = true;
    if (!this.timer) return;
    this.clock.clearTimeout(this.timer);
    this.beatAfter(BEAT_WHILE_DOWN);
  }

  /**
   * From now on, beats only when `beat` or `beatAndLook` is called: a test may move its clock by days, which would
   * cause thousands of beats.
   */
  beatByHand(): void {
    this.isTimed = false;
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }

  stop(): void {
    this.isStopped = true;
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.card = undefined;
  }

  /**
   * The instances that at least one node knows.
   *
   * @throws StoreDownError if no node answers.
   */
  async list(): Promise<FleetInstance[]> {
    const { answers, causes } = await askAll(this.nodes, (node) => node.registered(this.keys));
    if (answers.length === 0) throw new StoreDownError('', causes, 'No node could list the instances');
    const found = new Map<string, FleetInstance>();
    for (const text of answers.flat()) {
      const instance = decodeCard(text);
      if (instance) found.set(instance.instanceId, instance);
    }
    return [...found.values()].toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  }

  /** Renews the entry of this instance on all nodes. */
  async beat(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.renew(node)));
  }

  /** Renews the entry, and then calls `onBeat`. */
  async beatAndLook(): Promise<void> {
    await this.beat();
    if (this.card !== undefined) await this.onBeat?.();
  }

  private async beatAndRepeat(): Promise<void> {
    this.timer = undefined;
    const wasDown = this.isDown;
    // The answers to this beat say nothing about an outage that begins meanwhile.
    this.isDown = false;
    await this.beat();
    if (this.card === undefined) return;
    this.isDown ||= !this.health.hasQuorum;
    this.beatAfter(this.isDown ? BEAT_WHILE_DOWN : BEAT);
    if (wasDown && !this.isDown) this.onQuorum?.();
    const now = this.clock.elapsed();
    // `onBeat` takes time for each job: called on every beat of an outage, it would delay other work in this process.
    if (now - this.calledAt < BEAT / 2) return;
    this.calledAt = now;
    if (this.onBeat) await inBackground('Looking at the jobs', this.onBeat);
  }

  private beatAfter(delay: number): void {
    if (!this.isTimed) return;
    this.timer = this.clock
      .setTimeout(() => void inBackground('Registering this instance', () => this.beatAndRepeat()), delay)
      .unref();
  }

  private async renew(node: LockNode): Promise<void> {
    const { instanceId } = this.options;
    await this.health.measure(node, async () => {
      // Usually, the node has the card, which can be long, so it is not sent again.
      if (this.informed.has(node) && (await node.register(this.keys, instanceId, KEPT))) return;
      await node.register(this.keys, instanceId, KEPT, this.card);
      if (this.card !== undefined) this.informed.add(node);
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
