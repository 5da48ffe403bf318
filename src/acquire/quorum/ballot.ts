import type { Clock, Timer } from '../../clock.js';
import { errorOf } from '../../errors.js';
import type { Claim, LockNode, Vote } from '../../nodes/lock-node.js';
import { answersOthers, deniedBy, type Denial, type Grant, isUnsent, type Undecided } from '../outcome.js';
import { releaseEarlierAttempt } from '../earlier-attempt.js';
import { TakenError, validUntil } from '../store.js';
import { isEarlierAttempt } from '../token.js';
import type { LeadVote } from './lead-vote.js';
import type { NodeLatencies } from './node-latencies.js';
import type { RedlockAdapter, RedlockClaim, RedlockVoter } from './redlock-adapter.js';
import type { PauseVotes } from './pause-votes.js';
import { stragglerGrace } from './vote-waits.js';
import { isYesOfMajority, Tally } from './tally.js';

/** One claim and the votes of all nodes on it, from the attempt to win it until it is released. */
export class Ballot implements Grant {
  readonly kind = 'granted';
  validUntil = 0;
  dead: string | undefined;
  last: number | undefined;
  unfinished: string | undefined;
  /** Set by `settle`: redlock's release then sends a settle to each node. */
  settles: { readonly record?: string } | undefined;
  private readonly tally: Tally;
  private readonly votes: readonly NodeVote[];
  private readonly redlock: RedlockClaim;
  private straggling: Timer | undefined;
  private askedAt = 0;

  /**
   * @param contested How many attempts before this one were contested (see `Store.vote`).
   * @param leadVote The vote of the lead node, if that node is asked before the others.
   * @param pauseVotes Gets each vote, also those that come too late to count.
   */
  constructor(
    adapter: RedlockAdapter,
    nodes: readonly LockNode[],
    readonly latencies: NodeLatencies,
    private readonly clock: Clock,
    readonly claim: Claim,
    readonly token: string,
    private readonly contested: number,
    readonly leadVote: LeadVote | undefined,
    readonly pauseVotes?: PauseVotes,
  ) {
    this.tally = new Tally(nodes.length, token);
    this.votes = nodes.map((node) => new NodeVote(node, this, clock));
    this.redlock = adapter.claim(this.votes);
  }

  /** Resolves to whether a majority has granted the claim before the lease ended. */
  async acquire(ttl: number): Promise<boolean> {
    this.askedAt = this.clock.elapsed();
    if (!(await this.redlock.acquire(ttl))) return false;
    this.validUntil = validUntil(this.askedAt, ttl);
    if (this.validUntil > this.clock.elapsed()) return true;
    await this.release().catch(() => {});
    return false;
  }

  /** Counts a vote; `undefined` if it is no longer waited for. */
  count(vote: Vote | Error | undefined): void {
    if (vote && 'kind' in vote && vote.kind === 'granted') {
      if (!isEarlierAttempt(vote.dead, this.token)) this.dead ??= vote.dead;
      this.unfinished ??= vote.unfinished;
      if (vote.last !== undefined) this.last = Math.max(this.last ?? vote.last, vote.last);
    }
    this.tally.add(vote);
    if (!this.tally.isContested) return;
    const missing = this.votes.filter((each) => each.isAwaited);
    const stopWaiting = (): void => missing.forEach((each) => each.stopWaiting());
    if (missing.every(({ node }) => this.latencies.maySkip(node, this.contested))) return stopWaiting();
    const grace = stragglerGrace(this.clock.elapsed() - this.askedAt, this.contested);
    this.straggling ??= this.clock.setTimeout(stopWaiting, grace).unref();
  }

  /** Resolves to the reason why the claim was not granted. */
  async denial(): Promise<Denial | Undecided> {
    const conflict = this.leadVote?.conflict;
    return conflict ? { kind: 'denied by lead', denial: deniedBy(conflict) } : this.tally.denial();
  }

  async extend(ttl: number): Promise<number> {
    const askedAt = this.clock.elapsed();
    // If `ttl` is shorter than before, the nodes may have applied it even if their answers get lost.
    this.validUntil = Math.min(this.validUntil, validUntil(askedAt, ttl));
    try {
      await this.redlock.extend(ttl);
    } catch (error) {
      // redlock rejects as soon as there can be no majority: a majority may still say that the lock is taken.
      throw (await isYesOfMajority(this.votes.map(({ taken }) => taken))) ? new TakenError() : error;
    }
    return (this.validUntil = validUntil(askedAt, ttl));
  }

  settle(record?: string): Promise<void> {
    this.settles = { record };
    return this.release();
  }

  release(): Promise<void> {
    return this.redlock.release();
  }
}

/** The vote of one node on one claim. */
class NodeVote implements RedlockVoter {
  private answer: 'none' | 'asked' | 'granted' | 'denied' | 'failed' = 'none';
  /** Whether the claim has been given back. What the node grants after that is given back, too. */
  private isGivenBack = false;
  /** Whether its answer is no longer waited for. */
  private isGivenUp = false;
  /** Whether its answer to the latest extension is that another claim has or had the lock. Never rejects. */
  taken: Promise<boolean> = Promise.resolve(false);
  endFailure: Error | undefined;
  /** When the node was asked, on the monotonic clock. */
  private askedAt = 0;
  private onGivenUp: () => void = () => {};

  constructor(
    readonly node: LockNode,
    private readonly ballot: Ballot,
    private readonly clock: Clock,
  ) {}

  /** Whether its answer is outstanding and still waited for. */
  get isAwaited(): boolean {
    return this.answer === 'asked' && !this.isGivenUp;
  }

  /** Stops waiting for this node's answer: a later grant is released, unless the claim was won. */
  stopWaiting(): void {
    if (!this.isAwaited) return;
    this.isGivenUp = true;
    this.ballot.count(undefined);
    this.onGivenUp();
  }

  claim(ttl: number): Promise<number> {
    const { claim, token, leadVote } = this.ballot;
    const isLead = leadVote?.node === this.node;
    return new Promise((resolve, reject) => {
      const ask = async (): Promise<void> => {
        this.askedAt = this.clock.elapsed();
        this.answer = 'asked';
        try {
          // Only the lead node counts the losers.
          const what = isLead || !claim.loserCounter ? claim : { ...claim, loserCounter: undefined };
          resolve(this.voted(await this.node.claim(what, token, ttl)));
        } catch (error) {
          reject(this.failed(error));
        }
      };
      this.onGivenUp = () => resolve(0);
      if (!leadVote || isLead) void ask();
      else void leadVote.asksOthers.then((asks) => (asks && !this.isGivenBack ? ask() : resolve(0)));
    });
  }

  extend(ttl: number): Promise<number> {
    const extended = this.extended(ttl);
    this.taken = extended.then(
      (isHeld) => isHeld === 0,
      () => false,
    );
    return extended;
  }

  private async extended(ttl: number): Promise<number> {
    const { claim, token } = this.ballot;
    try {
      const isHeld = await this.node.extend(claim, token, ttl);
      // A node that denied the claim may grant the lock now.
      if (isHeld) this.answer = 'granted';
      if (isHeld && this.isGivenBack) this.giveBackInBackground();
      return Number(isHeld);
    } catch (error) {
      const cause = errorOf(error);
      if (this.answer === 'denied' && !isUnsent(cause)) this.answer = 'failed';
      if (this.answer === 'failed' && this.isGivenBack) this.giveBackInBackground();
      throw cause;
    }
  }

  async end(): Promise<number> {
    const { settles, validUntil: wonUntil } = this.ballot;
    try {
      // redlock knows the outcome before all nodes have answered.
      if (this.answer === 'asked' && wonUntil > 0) return Number(await this.endBehindClaim());
      if (!settles) this.isGivenBack = true;
      if (settles || this.answer === 'granted') return Number(await this.giveBack());
      // The node may have granted the claim anyway.
      if (this.answer === 'failed') this.giveBackInBackground();
      return 0;
    } catch (error) {
      throw (this.endFailure = errorOf(error));
    }
  }

  private voted(vote: Vote): number {
    const isGranted = vote.kind === 'granted';
    this.answer = isGranted ? 'granted' : 'denied';
    const { claim, token, pauseVotes } = this.ballot;
    const own = releaseEarlierAttempt(this.node, claim, token, vote);
    this.noteLatency(this.clock.elapsed() - this.askedAt, own ? undefined : vote);
    if (this.isGivenBack && isGranted) this.giveBackInBackground();
    pauseVotes?.add(vote);
    if (!this.isGivenUp) this.ballot.count(vote);
    return Number(isGranted);
  }

  private failed(error: unknown): Error {
    const cause = errorOf(error);
    this.answer = isUnsent(cause) ? 'denied' : 'failed';
    if (this.isGivenBack && this.answer === 'failed') this.giveBackInBackground();
    // A node that refuses one lock, or answers too late, is not down.
    const latency = answersOthers(cause) ? this.clock.elapsed() - this.askedAt : Number.POSITIVE_INFINITY;
    this.noteLatency(latency, undefined);
    if (!this.isGivenUp) this.ballot.count(cause);
    return cause;
  }

  private noteLatency(latency: number, vote: Vote | undefined): void {
    const { leadVote, latencies } = this.ballot;
    const isLead = leadVote?.node === this.node;
    latencies.note(this.node, latency, isLead && vote !== undefined && 'holder' in vote);
    if (isLead) leadVote.voted(vote);
  }

  /** Sends the settle or release behind an unanswered claim: if the claim is granted, the lock is freed at once. */
  private async endBehindClaim(): Promise<boolean> {
    if (await this.giveBack().catch(() => false)) return true;
    // The settle or the release overtook the claim.
    this.isGivenBack = true;
    if (this.answer === 'granted' || this.answer === 'failed') this.giveBackInBackground();
    return false;
  }

  /** Gives back what the node may have granted, without waiting for the answer. */
  private giveBackInBackground(): void {
    void this.giveBack().catch(() => {});
  }

  private async giveBack(): Promise<boolean> {
    const { claim, token, settles } = this.ballot;
    return settles ? this.node.settle(claim, token, settles.record) : this.node.release(claim, token);
  }
}
