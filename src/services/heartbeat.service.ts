import { Inject, Injectable } from '@nestjs/common';
import type { Clock, Timer } from '../clock.js';
import { inBackground } from '../in-background.js';
import type { ResolvedOptions } from '../options/options.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { BEAT, Fleet } from './fleet.service.js';
import { NodeHealthWatch } from './node-health-watch.service.js';

/** How often the nodes are asked while no majority answers, in milliseconds. */
const BEAT_WHILE_DOWN = 500;

/** The beats of this instance: each one renews its entry, and shows whether a majority of the nodes answers. */
@Injectable()
export class Heartbeat {
  private timer: Timer | undefined;
  /** Set when no majority of the nodes has answered, until a majority answers again. */
  private isDown = false;
  private isTimed = true;
  /** When `onBeat` was last called, on the monotonic clock. */
  private calledAt = Number.NEGATIVE_INFINITY;
  /** When `onQuorum` was last called, on the monotonic clock. */
  private quorumAt = Number.NEGATIVE_INFINITY;
  /** Called after a beat; after the beats of the timer, at most every five seconds. */
  onBeat: (() => Promise<void>) | undefined;
  /** Called when a majority of the nodes answers again. */
  onQuorum: (() => void) | undefined;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly fleet: Fleet,
    private readonly health: NodeHealthWatch,
  ) {}

  /** Registers this instance now, and again with each beat. */
  start(): void {
    this.fleet.join();
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
    // Nodes that answer the beats may refuse all claims: then each look at the jobs leads here again, within moments.
    const isAgain =
      this.clock.elapsed() - this.quorumAt < Math.max(BEAT_WHILE_DOWN, this.options.nodeTimeout);
    this.beatAfter(isAgain ? BEAT / 2 : BEAT_WHILE_DOWN);
  }

  /**
   * From now on, beats only when `Fleet.beat` or `beatAndLook` is called: a test may move its clock by days, which
   * would cause thousands of beats.
   */
  beatByHand(): void {
    this.isTimed = false;
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }

  stop(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.fleet.leave();
  }

  /** This instance declares more jobs than before: the next beat says so. */
  jobsLoaded(): void {
    if (this.fleet.hasJoined) this.fleet.join();
  }

  /** Renews the entry, and then calls `onBeat`. */
  async beatAndLook(): Promise<void> {
    await this.fleet.beat();
    if (this.fleet.hasJoined) await this.onBeat?.();
  }

  private async beatAndRepeat(): Promise<void> {
    this.timer = undefined;
    const wasDown = this.isDown;
    // The answers to this beat say nothing about an outage that begins meanwhile.
    this.isDown = false;
    await this.fleet.beat();
    if (!this.fleet.hasJoined) return;
    this.isDown ||= !this.health.isAnswered;
    this.beatAfter(this.isDown ? BEAT_WHILE_DOWN : BEAT);
    const now = this.clock.elapsed();
    if (wasDown && !this.isDown) {
      this.quorumAt = now;
      this.onQuorum?.();
    }
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
}
