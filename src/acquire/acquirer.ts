import { type Clock, sleep } from '../clock.js';
import type { Claim } from '../nodes/lock-node.js';
import { Backpressure, type FailedVote } from './backpressure.js';
import { Elapsed } from './elapsed.js';
import { LockWaits } from './lock-waits.js';
import { nextClaim } from './next-claim.js';
import { type Denial, givenUp, type Grant, isDown, OVERLOAD, type VoteResult } from './outcome.js';
import { isBackup, nextDelay, RETRY, waitsForRun } from './retry-policy.js';
import type { Store } from './store.js';
import { uniqueId } from './token.js';

/** How long a claim of a scheduled call keeps trying, in milliseconds. */
export interface Patience {
  /**
   * How long until the next tick of the job is due. If the nodes are overloaded, the claim is given up then, but no
   * earlier than `RETRY.overloadLimit` allows. Default: `wait`.
   */
  readonly untilNext?: number;
  /** How long to wait for a run in progress: with `overlap: 'buffer-one'`, and inside a takeover. */
  readonly buffer?: number | undefined;
  /** The instance whose run is waited for. Default: any. */
  readonly awaited?: string | undefined;
}

/** Retries a claim until it is granted or denied. */
export class Acquirer {
  private readonly backpressure: Backpressure;
  private readonly waits: LockWaits;

  /** @param nodeTimeout How long a node may take to answer, in milliseconds. */
  constructor(
    private readonly store: Store,
    private readonly nodeTimeout: number,
    private readonly clock: Clock,
  ) {
    this.backpressure = new Backpressure(nodeTimeout, clock);
    this.waits = new LockWaits(clock);
  }

  /**
   * @param ttl The lease, in milliseconds.
   * @param wait How long to keep trying while another claim holds the lock, in milliseconds.
   * @param signal Ends the attempts when it aborts.
   */
  async acquire(
    claim: Claim,
    ttl: number,
    wait: number,
    signal: AbortSignal,
    { untilNext = wait, buffer, awaited }: Patience = {},
  ): Promise<Grant | Denial> {
    const { nodeTimeout, clock } = this;
    const time = new Elapsed(clock.elapsed(), nodeTimeout, untilNext, buffer);
    const { tick } = claim;
    const about = {
      isTick: tick !== undefined,
      recovers: tick?.recover ?? false,
      waitLimit: wait,
      awaited,
      nodeTimeout,
    };
    const isOfTick = tick !== undefined || claim.every !== undefined;
    // All attempts of a claim have the same `run` in their tokens; see `isEarlierAttempt`.
    let asked = claim.run === undefined ? { ...claim, run: uniqueId() } : claim;
    let contested = 0;
    let isBuffered = false;
    let took = 0;
    let hasSlot = false;
    try {
      for (let attempt = 0; ; attempt++) {
        let failed: FailedVote | undefined;
        if (!hasSlot) {
          const queuedAt = clock.elapsed();
          const slot = this.backpressure.enter(signal, time.until);
          failed = slot && (await slot);
          hasSlot = !failed;
          // A wait for a slot counts only from the first failed vote on.
          time.leaveOut((failed?.since ?? clock.elapsed()) - queuedAt);
          if (slot && hasSlot && (signal.aborted || clock.elapsed() >= time.until)) return OVERLOAD;
        }
        const asksLeadFirst: boolean = (contested > 0 || isBuffered) && attempt % RETRY.askAllEvery !== 0;
        const sentAt = clock.elapsed();
        const result: VoteResult =
          failed?.denial ?? this.noted(await this.store.vote(asked, ttl, contested, asksLeadFirst), sentAt);
        if (result.kind === 'granted') return result;
        const now = clock.elapsed();
        const lasted = now - sentAt;
        // An attempt outlasts its lease in a process that has stood still: what was granted came too late. It is
        // claimed again, but not once the next tick is due.
        if (result.kind === 'split' && lasted >= ttl && attempt === 0 && now < time.until)
          time.leaveOut(lasted);
        else took = Math.max(took, failed?.took ?? lasted);
        const progress = { ...about, ...time.at(now), result, attempt, contested, took };
        const delay = nextDelay(progress, Math.random());
        isBuffered = waitsForRun(progress);
        if (delay === undefined)
          return isBuffered ? leftToOthers(givenUp(result)) : givenUp(result, isOfTick);
        asked = nextClaim(asked, result, buffer !== undefined);
        const isContested = contested > 0 && result.kind === 'denied by lead' && !isBuffered;
        if (isContested || result.kind === 'split') contested++;
        // While no quorum votes, a claim keeps its slot between attempts. The claims that wait for a slot share its
        // result.
        if (hasSlot && !isDown(result)) {
          this.backpressure.leave();
          hasSlot = false;
        }
        if (isBuffered) {
          await this.waits.sleep(claim.lock, delay, signal);
          // Waiting for a run does not count: if an outage begins now, the claim is retried for the full time.
          time.leaveOut(clock.elapsed() - now);
        } else {
          if (result.kind === 'early') time.waitUntilDue(delay, now);
          await sleep(clock, delay, signal);
        }
        if (signal.aborted) return givenUp(result, isOfTick);
      }
    } finally {
      if (hasSlot) this.backpressure.leave();
    }
  }

  /** Takes a lock for `ttl` milliseconds and never releases it: only one instance does something within that time. */
  takeOnce(lock: string, ttl: number): Promise<Grant | Denial> {
    return this.acquire({ lock }, ttl, 0, new AbortController().signal);
  }

  /** This instance has freed a lock: its claims that wait for it try again at once. */
  freed(lock: string): void {
    this.waits.freed(lock);
  }

  /** Notes how long a vote took, and whether a quorum has answered. Returns its result. */
  private noted(result: VoteResult, sentAt: number): VoteResult {
    const now = this.clock.elapsed();
    if (result.kind === 'denied' && result.isOfOneLock) this.backpressure.refusedOneLock();
    else if (isDown(result)) this.backpressure.failed(result, sentAt, now);
    else this.backpressure.answered(sentAt, now);
    return result;
  }
}

/** Only the first losers wait for the run in progress. For the others, the tick counts as having run elsewhere. */
function leftToOthers(denial: Denial): Denial {
  return isBackup(denial) ? denial : { ...denial, reason: 'elsewhere' };
}
