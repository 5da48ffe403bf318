import type { LockNode, Vote } from './lock-node.js';
import type { Ballot } from './quorum.js';

/** The vote of one node on one claim. */
export class Voter {
  private answer: 'none' | 'asked' | 'granted' | 'refused' | 'failed' = 'none';
  /** Whether the claim has been given back, perhaps before the node had answered. */
  private isGivenBack = false;
  private isClosed = false;
  private onClosed: () => void = () => {};

  constructor(
    private readonly node: LockNode,
    private readonly ballot: Ballot,
  ) {}

  /** Waits no longer for the answer to the claim: what is granted after that is given back, unless the vote was won. */
  closePoll(): void {
    if (this.answer !== 'asked' || this.isClosed) return;
    this.isClosed = true;
    this.ballot.cast(undefined);
    this.onClosed();
  }

  /** Resolves to whether the node grants the claim; rejects if it cannot answer. */
  claim(token: string, ttl: number): Promise<boolean> {
    const { passage } = this.ballot;
    return new Promise((resolve, reject) => {
      this.onClosed = () => resolve(false);
      const ask = (): void => void this.ask(token, ttl).then(resolve, reject);
      if (!passage || passage.first === this.node) ask();
      else void passage.isOpen.then((isOpen) => (isOpen && !this.isGivenBack ? ask() : resolve(false)));
    });
  }

  async extend(token: string, ttl: number): Promise<boolean> {
    const isHeld = await this.node.extend(this.ballot.claim, token, ttl);
    // A node that refused the claim can have joined with this.
    if (isHeld) this.answer = 'granted';
    return isHeld;
  }

  /** Gives the lock back, in the way that the ballot says. */
  end(token: string): Promise<boolean> {
    const { claim, isRun } = this.ballot;
    // redlock knows the outcome before all have answered.
    if (this.answer === 'asked' && this.ballot.validUntil > 0) return this.follow(token);
    if (isRun) return this.node.settle(claim, token);
    // What is granted from now on is given back when it comes.
    this.isGivenBack = true;
    if (this.answer === 'granted') return this.node.release(claim, token);
    // It may have granted the claim all the same.
    if (this.answer === 'failed') this.giveBack(token);
    return Promise.resolve(false);
  }

  private async ask(token: string, ttl: number): Promise<boolean> {
    const { claim, passage } = this.ballot;
    const isFirst = passage?.first === this.node;
    const asked = performance.now();
    this.answer = 'asked';
    try {
      // Only the first node counts those who lose.
      const vote = await this.node.claim(isFirst ? claim : { ...claim, late: undefined }, token, ttl);
      this.answer = vote.vote === 'granted' ? 'granted' : 'refused';
      this.note(performance.now() - asked, vote);
      if (this.isGivenBack && this.answer === 'granted') this.giveBack(token);
      if (!this.isClosed) this.ballot.cast(vote);
      return vote.vote === 'granted';
    } catch (error) {
      this.answer = 'failed';
      if (this.isGivenBack) this.giveBack(token);
      this.note(Number.POSITIVE_INFINITY, undefined);
      const cause = error instanceof Error ? error : new Error(String(error));
      if (!this.isClosed) this.ballot.cast(cause);
      throw cause;
    }
  }

  private note(pace: number, vote: Vote | undefined): void {
    const { passage, turnstile } = this.ballot;
    const isFirst = passage?.first === this.node;
    turnstile.note(this.node, pace, isFirst && vote !== undefined && 'holder' in vote);
    if (isFirst) passage.hear(vote);
  }

  /** Ends it behind a claim that is under way and was most likely granted: so the lock is free at once. */
  private async follow(token: string): Promise<boolean> {
    const isHeld = await this.undo(token).catch(() => false);
    if (isHeld) return true;
    // It came before the claim after all.
    this.isGivenBack = true;
    if (this.answer === 'granted' || this.answer === 'failed') this.giveBack(token);
    return false;
  }

  /** Nobody waits for the outcome: it decides nothing any more. */
  private giveBack(token: string): void {
    void this.undo(token).catch(() => {});
  }

  private undo(token: string): Promise<boolean> {
    const { claim, isRun } = this.ballot;
    return isRun ? this.node.settle(claim, token) : this.node.release(claim, token);
  }
}
