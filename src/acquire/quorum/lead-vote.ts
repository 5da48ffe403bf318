import type { Clock, Timer } from '../../clock.js';
import type { Conflict, LockNode, Vote } from '../../nodes/lock-node.js';

/**
 * The vote of the lead node on one claim. It saves losers the round trip to every node. The instances of a fleet claim
 * a tick in the same millisecond, and all but one lose: an instance that the lead node denies need not ask the others.
 * The lead node decides nothing: a winner still needs a majority, and the first few losers ask all nodes a moment
 * later, so that no tick depends on one instance. After a split vote, contenders queue at the lead node.
 *
 * `NodeLatencies` determines which node it is, and `QuorumStore` whether it is asked first.
 */
export class LeadVote {
  /** Resolves to whether to ask the other nodes. */
  readonly asksOthers: Promise<boolean>;
  /** The conflict with another claim that the lead node reported, if any. */
  conflict: Conflict | undefined;
  private resolve: ((asksOthers: boolean) => void) | undefined;
  private readonly timer: Timer;

  /** @param timeout How long the lead node may take before the others are asked too, in milliseconds. */
  constructor(
    readonly node: LockNode,
    timeout: number,
    private readonly clock: Clock,
  ) {
    this.asksOthers = new Promise((resolve) => (this.resolve = resolve));
    this.timer = clock.setTimeout(() => this.end(true), timeout);
  }

  /** Takes the vote of the lead node; `undefined` if it failed, or named an earlier attempt of the claim as holder. */
  voted(vote: Vote | undefined): void {
    if (!this.resolve) return;
    if (vote && 'holder' in vote) this.conflict = vote;
    this.end(!this.conflict && vote?.kind !== 'settled');
  }

  private end(asksOthers: boolean): void {
    this.clock.clearTimeout(this.timer);
    this.resolve?.(asksOthers);
    this.resolve = undefined;
  }
}
