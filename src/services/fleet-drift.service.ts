import { Inject, Injectable, Logger } from '@nestjs/common';
import { Acquirer } from '../acquire/acquirer.js';
import type { Clock } from '../clock.js';
import { JobKeys } from '../nodes/job-keys.js';
import type { ResolvedOptions } from '../options/options.js';
import { type Drift, driftOf, established, ROLLOUT, untilEstablished } from '../records/drift.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { Fleet, KEPT } from './fleet.service.js';
import { RedlockEvents } from './redlock-events.service.js';

/** How long a reported drift is remembered, in milliseconds: a day. */
const REPORTED_FOR = 24 * 60 * 60 * 1000;

/**
 * Reports what the instances of the fleet disagree on, each disagreement at most once a day. One instance looks, every
 * ten minutes, and once more if there is something to confirm, or when young instances have been up for ten minutes.
 */
@Injectable()
export class FleetDrift {
  private readonly logger = new Logger('RedlockModule');
  private readonly keys;
  private nextLook: number;
  /** What the last look found for the first time, for the next one to confirm; `undefined` if no look has to follow. */
  private suspected: ReadonlySet<string> | undefined;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly fleet: Fleet,
    private readonly acquirer: Acquirer,
    private readonly events: RedlockEvents,
  ) {
    this.nextLook = clock.elapsed() + ROLLOUT;
    this.keys = new JobKeys(options.keyPrefix, '');
  }

  /**
   * Looks for drift, if it is time, unless another instance has just done so. Drift is reported only if the next look
   * finds it, too: by then, the entries of instances that were already gone at the first look have ended.
   */
  async check(): Promise<void> {
    if (this.clock.elapsed() < this.nextLook) return;
    this.nextLook = this.clock.elapsed() + ROLLOUT;
    if (!this.suspected && !(await this.isFirst('look', ROLLOUT / 2))) return;
    const suspected = this.suspected ?? new Set<string>();
    const fleet = await this.fleet.list().catch(() => undefined);
    if (!fleet) {
      // Without an answer, nothing is known: the next beat looks again.
      this.suspected = suspected;
      this.nextLook = this.clock.elapsed();
      return;
    }
    const now = this.clock.now();
    const found = driftOf(established(fleet, now));
    const unconfirmed = found.map(({ key }) => key).filter((key) => !suspected.has(key));
    // What only younger instances show may be an update in progress. Another look follows when one of them has been up
    // for ten minutes.
    const isPending = driftOf(fleet).some(({ key }) => found.every((drift) => drift.key !== key));
    const wait = isPending ? untilEstablished(fleet, now) : undefined;
    this.suspected = unconfirmed.length > 0 || wait !== undefined ? new Set(unconfirmed) : undefined;
    if (unconfirmed.length > 0) this.nextLook = this.clock.elapsed() + KEPT;
    else if (wait !== undefined) this.nextLook = this.clock.elapsed() + wait;
    for (const drift of found.filter(({ key }) => suspected.has(key))) {
      if (await this.isFirst(drift.key, REPORTED_FOR)) this.report(drift);
    }
  }

  private report({ kind, name, message, instances }: Drift): void {
    this.logger.warn(message);
    this.events.emit('drift', { kind, name, message, instances, instanceId: this.options.instanceId });
  }

  /**
   * Takes a lock on `what` for `recently` milliseconds. `false` if an instance, perhaps this one, already has that
   * lock, or if the nodes cannot tell.
   */
  private async isFirst(what: string, recently: number): Promise<boolean> {
    const { kind } = await this.acquirer.takeOnce(this.keys.drift(what), recently);
    return kind === 'granted';
  }
}
