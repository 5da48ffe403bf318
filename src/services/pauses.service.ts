import { Inject, Injectable } from '@nestjs/common';
import { ReplicatedPauses } from '../acquire/replicated-pauses.js';
import type { Clock } from '../clock.js';
import { InvalidOptionError } from '../errors.js';
import { JobKeys } from '../nodes/job-keys.js';
import type { LockNode } from '../nodes/lock-node.js';
import { MODULE } from '../checks.js';
import type { ResolvedOptions } from '../options/options.js';
import { detailOfEnd, detailOfPause } from '../records/job-pause.js';
import { CLOCK, LOCK_NODES, RESOLVED_OPTIONS } from '../redlock.module-definition.js';

/**
 * Pauses jobs on the whole fleet: writes what claims read (`CLAIM` in `nodes/redis/scripts.ts`). It does not stop plain
 * calls and triggers (`claimOf` in `runs/claim-builder.ts`).
 */
@Injectable()
export class Pauses {
  private readonly replicated: ReplicatedPauses;
  /** Called with the name of each job that this instance pauses or resumes. */
  onChange: ((name: string) => void) | undefined;

  constructor(
    @Inject(LOCK_NODES) nodes: readonly LockNode[],
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.replicated = new ReplicatedPauses(nodes, clock);
  }

  /**
   * @param duration In milliseconds; `undefined`: until the job is resumed.
   * @throws InvalidOptionError with `enabled: false`; StoreDownError if no majority of the nodes confirms it.
   */
  async pause(name: string, duration: number | undefined, note: string | undefined): Promise<void> {
    this.checkEnabled();
    const { instanceId: by } = this.options;
    const at = this.clock.now();
    const until = duration === undefined ? undefined : at + duration;
    await this.replicated.write(name, this.keyOf(name), (known) => ({
      isPaused: true,
      until,
      detail: detailOfPause({ by, at, note }, known),
    }));
    this.onChange?.(name);
  }

  /** @throws InvalidOptionError with `enabled: false`; StoreDownError if no majority of the nodes confirms it. */
  async resume(name: string): Promise<void> {
    this.checkEnabled();
    const at = this.clock.now();
    await this.replicated.write(name, this.keyOf(name), (known) => ({
      isPaused: false,
      until: at,
      detail: detailOfEnd(this.options.instanceId, at, known),
    }));
    this.onChange?.(name);
  }

  /** With `enabled: false`, `pause` and `resume` would resolve, although no job of the fleet was paused or resumed. */
  private checkEnabled(): void {
    const { enabled } = this.options;
    if (enabled) return;
    throw new InvalidOptionError(
      MODULE,
      'enabled',
      'must be true for pause() and resume(), because an instance with enabled: false does not use the nodes: call ' +
        'pause() and resume() on an instance that uses the nodes',
      { received: enabled },
    );
  }

  private keyOf(name: string): string {
    return new JobKeys(this.options.keyPrefix, name).pause;
  }
}
