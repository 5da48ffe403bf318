import type { Clock } from '../clock.js';
import { onAbort } from '../on-abort.js';
import { VoteLimit } from './vote-limit.js';
import type { Denial } from './outcome.js';
import { isStillRetried } from './retry-policy.js';

/** An answer is too slow if it takes longer than the fastest one by more than this fraction of `nodeTimeout`. */
const TOLERATED_FRACTION = 1 / 10;
/**
 * Claims get slots in the order in which they would be given up. A time that is further away than this, in
 * milliseconds, counts as this far away: otherwise, in a lasting overload, rare jobs would wait behind all others.
 */
const MOST_PATIENT = 30_000;

/** Votes in a row that got no answer from a quorum. Times are on the monotonic clock, in milliseconds. */
interface Failing {
  /** When the first of them was sent. */
  readonly since: number;
  /** How long the slowest of them took. */
  readonly took: number;
}

/** The last of them. */
export interface FailedVote extends Failing {
  readonly denial: Denial;
}

/** A claim that waits for a slot. Times are on the monotonic clock, in milliseconds. */
interface Waiting {
  readonly since: number;
  /** The time that it is ordered by: when it would be given up, but at most `MOST_PATIENT` after it came. */
  readonly goesBy: number;
  /** Ends the wait: with a slot, or, if a failed vote is passed, without one. */
  end(failed?: FailedVote): void;
}

/**
 * Limits the votes in flight, and lets the other claims wait for a slot. Otherwise, if many claims were made at once,
 * their answers would take longer than `nodeTimeout`, and the nodes would seem to be down. The claim that would be
 * given up first goes first (earliest deadline first). That way, a large number of yearly jobs cannot make a job that
 * runs every second lose a tick, unless they have waited for almost `MOST_PATIENT`.
 */
export class Backpressure {
  private readonly limit: VoteLimit;
  /** In the order in which they go. */
  private waiting: Waiting[] = [];
  private inFlight = 0;
  private failing: Failing | undefined;

  /** @param nodeTimeout How long a node may take to answer, in milliseconds. */
  constructor(
    private readonly nodeTimeout: number,
    private readonly clock: Clock,
  ) {
    this.limit = new VoteLimit(nodeTimeout * TOLERATED_FRACTION);
  }

  /**
   * Takes a slot, which `leave` gives back. Returns `undefined` if one was free. Otherwise, returns a promise that
   * resolves to `undefined` when one becomes free or `signal` aborts. If no quorum has voted for so long that this
   * claim would have given up, it resolves to the failed vote of another claim instead, and no slot is taken.
   *
   * @param until When the claim is given up, on the monotonic clock, in milliseconds.
   */
  enter(signal: AbortSignal, until: number): Promise<FailedVote | undefined> | undefined {
    if (this.inFlight < this.limit.current || signal.aborted) {
      this.inFlight++;
      return undefined;
    }
    return new Promise((resolve) => {
      const since = this.clock.elapsed();
      const waiting: Waiting = {
        since,
        goesBy: Math.min(until, since + MOST_PATIENT),
        end: (failed) => {
          ignoreAbort();
          if (!failed) this.inFlight++;
          resolve(failed);
        },
      };
      const ignoreAbort = onAbort(signal, () => {
        this.waiting.splice(this.waiting.indexOf(waiting), 1);
        waiting.end();
      });
      this.add(waiting);
    });
  }

  /**
   * A vote has ended, and the nodes are not down, although they may have been too slow for a quorum. Times are on the
   * monotonic clock.
   */
  answered(sentAt: number, now: number): void {
    this.failing = undefined;
    this.limit.answered(sentAt, now, this.waiting.length > 0);
  }

  /**
   * The nodes have refused this lock alone. How long that took says nothing about their load: in a Cluster, a claim for
   * a dead server is first redirected several times.
   */
  refusedOneLock(): void {
    this.failing = undefined;
  }

  /** No quorum has answered a vote. Times are on the monotonic clock. */
  failed(denial: Denial, sentAt: number, now: number): void {
    const { since, took } = (this.failing = {
      since: this.failing?.since ?? sentAt,
      took: Math.max(this.failing?.took ?? 0, now - sentAt),
    });
    const isPatient = (began: number): boolean => isStillRetried(now - began, took, this.nodeTimeout);
    // Only the time in which votes have failed counts.
    if (isPatient(since)) return;
    const [patient, givenUp]: [Waiting[], Waiting[]] = [[], []];
    for (const each of this.waiting) (isPatient(Math.max(since, each.since)) ? patient : givenUp).push(each);
    this.waiting = patient;
    for (const each of givenUp) each.end({ denial, took, since });
  }

  /** Gives a slot back. If the limit allows, the claim that goes next gets it. */
  leave(): void {
    this.inFlight--;
    while (this.inFlight < this.limit.current && this.waiting.length > 0) this.waiting.shift()?.end();
  }

  private add(waiting: Waiting): void {
    const { goesBy } = waiting;
    let [low, high] = [0, this.waiting.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.waiting[middle]!.goesBy <= goesBy) low = middle + 1;
      else high = middle;
    }
    this.waiting.splice(low, 0, waiting);
  }
}
