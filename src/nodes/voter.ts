import type { Claim, LockNode, Vote } from './lock-node.js';
import type { Passage, Turnstile } from './turnstile.js';

/** One claim that is put to the vote, as its voters know it. */
export interface Ballot {
  readonly claim: Claim;
  readonly turnstile: Turnstile;
  readonly passage: Passage | undefined;
  /** Whether to give the lock back means to settle the run. */
  readonly isRun: boolean;
  /** Until when it is won, on the monotonic clock; 0 if it is not. */
  readonly validUntil: number;
  /** Counts a vote; `undefined`: the node was not waited for. */
  cast(vote: Vote | Error | undefined): void;
}

/**
 * The vote of one node on one claim, as redlock counts it: 1 or 0. Rejects with Errors only: redlock crashes the
 * process on anything else.
 */
export class Voter {
  private answer: 'none' | 'asked' | 'granted' | 'refused' | 'failed' = 'none';
  /** Whether the claim has been given back, perhaps before the node had answered. */
  private isGivenBack = false;
  private isClosed = false;
  private taken = false;
  /** When, on the monotonic clock. */
  private asked = 0;
  private onClosed: () => void = () => {};

  constructor(
    readonly node: LockNode,
    private readonly ballot: Ballot,
  ) {}

  /** Whether its answer is still to come, and is waited for. */
  get isAwaited(): boolean {
    return this.answer === 'asked' && !this.isClosed;
  }

  /** Whether, when it was last asked to extend, it said that somebody else has or had the lock. */
  get isTaken(): boolean {
    return this.taken;
  }

  /** Waits no longer for the answer to the claim: what is granted after that is given back, unless the vote was won. */
  closePoll(): void {
    if (!this.isAwaited) return;
    this.isClosed = true;
    this.ballot.cast(undefined);
    this.onClosed();
  }

  /** Resolves to whether the node grants the claim; rejects if it cannot answer. */
  claim(token: string, ttl: number): Promise<number> {
    const { claim, passage } = this.ballot;
    const isFirst = passage?.first === this.node;
    return new Promise((resolve, reject) => {
      const ask = async (): Promise<void> => {
        this.asked = performance.now();
        this.answer = 'asked';
        try {
          // Only the first node counts those who lose.
          const what = isFirst || !claim.late ? claim : { ...claim, late: undefined };
          resolve(this.noteVote(await this.node.claim(what, token, ttl), token));
        } catch (error) {
          reject(this.noteFailure(error, token));
        }
      };
      this.onClosed = () => resolve(0);
      if (!passage || isFirst) void ask();
      else void passage.isOpen.then((isOpen) => (isOpen && !this.isGivenBack ? ask() : resolve(0)));
    });
  }

  /** Resolves to whether the node holds the lock for another `ttl` milliseconds. */
  async extend(token: string, ttl: number): Promise<number> {
    this.taken = false;
    try {
      const isHeld = await this.node.extend(this.ballot.claim, token, ttl);
      // A node that refused the claim can have joined with this.
      if (isHeld) this.answer = 'granted';
      this.taken = !isHeld;
      return Number(isHeld);
    } catch (error) {
      throw errorOf(error);
    }
  }

  /** Gives the lock back, in the way that the ballot says. Resolves to whether the node held it. */
  async end(token: string): Promise<number> {
    const { claim, isRun } = this.ballot;
    try {
      // redlock knows the outcome before all have answered.
      if (this.answer === 'asked' && this.ballot.validUntil > 0) return Number(await this.follow(token));
      if (isRun) return Number(await this.node.settle(claim, token));
      // What is granted from now on is given back when it comes.
      this.isGivenBack = true;
      if (this.answer === 'granted') return Number(await this.node.release(claim, token));
      // It may have granted the claim all the same.
      if (this.answer === 'failed') this.giveBack(token);
      return 0;
    } catch (error) {
      throw errorOf(error);
    }
  }

  private noteVote(vote: Vote, token: string): number {
    const isGranted = vote.vote === 'granted';
    this.answer = isGranted ? 'granted' : 'refused';
    this.notePace(performance.now() - this.asked, vote);
    if (this.isGivenBack && isGranted) this.giveBack(token);
    if (!this.isClosed) this.ballot.cast(vote);
    return Number(isGranted);
  }

  private noteFailure(error: unknown, token: string): Error {
    this.answer = 'failed';
    if (this.isGivenBack) this.giveBack(token);
    this.notePace(Number.POSITIVE_INFINITY, undefined);
    const cause = errorOf(error);
    if (!this.isClosed) this.ballot.cast(cause);
    return cause;
  }

  private notePace(pace: number, vote: Vote | undefined): void {
    const { passage, turnstile } = this.ballot;
    const isFirst = passage?.first === this.node;
    turnstile.note(this.node, pace, isFirst && vote !== undefined && 'holder' in vote);
    if (isFirst) passage.hear(vote);
  }

  /** Ends it behind a claim that is under way and was most likely granted: so the lock is free at once. */
  private async follow(token: string): Promise<boolean> {
    if (await this.undo(token).catch(() => false)) return true;
    // It came before the claim after all.
    this.isGivenBack = true;
    if (this.answer === 'granted' || this.answer === 'failed') this.giveBack(token);
    return false;
  }

  /** Nobody waits for the outcome: it decides nothing any more. */
  private giveBack(token: string): void {
    void this.undo(token).catch(() => {});
  }

  private async undo(token: string): Promise<boolean> {
    const { claim, isRun } = this.ballot;
    return isRun ? this.node.settle(claim, token) : this.node.release(claim, token);
  }
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
