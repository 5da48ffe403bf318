import { createHash } from 'node:crypto';
import Redlock, { type Lock } from 'redlock';
import type { Claim, LockNode, Vote } from './lock-node.js';
import { lostTo, Tally, type Verdict } from './tally.js';
import { type Passage, Turnstile } from './turnstile.js';

/** A claim that a majority of the nodes has granted. */
export interface Grant {
  /** On the monotonic clock of this process (`performance.now()`): until when no node can have let the lock go. */
  readonly validUntil: number;
  /** Another `ttl` milliseconds from now. Resolves to the new `validUntil`; rejects without a majority. */
  extend(ttl: number): Promise<number>;
  /** The run is over: the lock is free, the tick is written down. Rejects without a majority. */
  settle(): Promise<void>;
  /** As though the claim had never been. Rejects without a majority. */
  release(): Promise<void>;
}

/** A vote that was not won. */
export interface Defeat {
  readonly verdict: Verdict;
  /** What was wrong with the nodes that could not vote. */
  readonly causes: readonly Error[];
}

/** Clocks of different computers drift apart by at most this part of a lease, and keys end on a whole millisecond. */
const DRIFT = { factor: 0.01, milliseconds: 2 };

/**
 * Once a majority has answered and the vote is contested, the others have this long, in milliseconds, or this many times
 * what the majority took if that is longer, and at each further attempt twice as long. A node that hangs would else keep
 * the partial votes of each contender in the way of the others for its whole `nodeTimeout`. One that is only slow is heard
 * in the end, and nodes that are all slow are not asked again and again.
 */
const LAST_CALL = { milliseconds: 50, factor: 4 };

/** The nodes as one: redlock over a majority of them. The only file that knows redlock. */
export class Quorum {
  private readonly turnstile: Turnstile;
  /** Whether a majority answered at the last vote that could tell: who is cut off must not stand in the turnstile. */
  private isReached = true;
  private readonly redlock: Redlock;

  constructor(private readonly nodes: readonly LockNode[]) {
    this.turnstile = new Turnstile(nodes);
    const clients = nodes.map((_node, index) => new Client(index));
    // Of an even number of nodes each half could wait for the other for ever: one that is never there decides.
    const all = nodes.length % 2 === 0 ? [...clients, ABSENT] : clients;
    this.redlock = new Redlock(all as unknown as RedlockClients, SETTINGS, SCRIPTS);
  }

  /**
   * Asks every node once, and gives back what was granted if that was no majority. A claim that has `late` is put to
   * one node first, and to the others only if that one does not turn it away.
   *
   * @param ttl The lease, in milliseconds.
   * @param attempt How often the claim has been put to the vote before.
   */
  async vote(claim: Claim, ttl: number, attempt = 0): Promise<Grant | Defeat> {
    const passage =
      claim.late && this.isReached && this.nodes.length > 1 ? this.turnstile.enter() : undefined;
    const ballot = new Ballot(this.redlock, this.nodes, this.turnstile, claim, attempt, passage);
    const defeat = (await ballot.acquire(ttl)) ? undefined : await ballot.defeat();
    const verdict = defeat?.verdict;
    if (verdict?.is !== 'turned away')
      this.isReached = !(verdict?.is === 'lost' && verdict.reason === 'store-down');
    return defeat ?? ballot;
  }
}

// To redlock a script is a text that it hands to its clients. Ours have their own way of doing each of the three, so
// the texts are only names. redlock takes them as functions; strings it would silently ignore.
const SCRIPTS = {
  acquireScript: () => 'acquire',
  extendScript: () => 'extend',
  releaseScript: () => 'release',
};
const ACQUIRE = createHash('sha1').update('acquire').digest('hex');
const EXTEND = createHash('sha1').update('extend').digest('hex');

/** redlock must not retry by itself: it would do so while it still holds its own partial votes. */
const SETTINGS = { retryCount: 0 };

type RedlockClients = ConstructorParameters<typeof Redlock>[0];

/** One claim and the votes on it, from the attempt to get it until it is given back. */
class Ballot implements Grant {
  validUntil = 0;
  readonly tally: Tally;
  /** Like the first of several, a node alone counts those who lose. */
  readonly isOfOne: boolean;
  /** Whether to give the lock back means to settle the run. */
  isRun = false;
  readonly voters: readonly Voter[];
  private lastCall: NodeJS.Timeout | undefined;
  private asked = 0;
  private lock: Lock | undefined;

  constructor(
    private readonly redlock: Redlock,
    nodes: readonly LockNode[],
    readonly turnstile: Turnstile,
    readonly claim: Claim,
    private readonly attempt: number,
    readonly passage: Passage | undefined,
  ) {
    this.tally = new Tally(nodes.length);
    this.isOfOne = nodes.length === 1;
    this.voters = nodes.map((node) => new Voter(node, this));
  }

  /** Whether a majority has granted the claim, with some of the lease still to come. */
  async acquire(ttl: number): Promise<boolean> {
    this.asked = performance.now();
    try {
      // What redlock is to lock it only hands on to its clients: so they learn which ballot it is about.
      this.lock = await this.redlock.acquire([this as unknown as string], ttl);
    } catch {
      return false;
    }
    this.validUntil = validUntil(this.asked, ttl);
    if (this.validUntil > performance.now()) return true;
    await this.release().catch(() => {});
    return false;
  }

  /** Counts a vote; `undefined`: the node was not waited for. */
  cast(vote: Vote | Error | undefined): void {
    this.tally.cast(vote);
    if (this.lastCall || !this.tally.isContested) return;
    const took = performance.now() - this.asked;
    const patience = Math.max(LAST_CALL.milliseconds, LAST_CALL.factor * took);
    const close = (): void => this.voters.forEach((voter) => voter.closePoll());
    this.lastCall = setTimeout(close, patience * 2 ** Math.min(this.attempt, 4)).unref();
  }

  async defeat(): Promise<Defeat> {
    const { causes } = this.tally;
    const refusal = this.passage?.turnedAway;
    if (!refusal) return { verdict: await this.tally.verdict(), causes };
    return { verdict: { is: 'turned away', lost: lostTo(refusal) }, causes };
  }

  async extend(ttl: number): Promise<number> {
    const asked = performance.now();
    const lock = this.held();
    // redlock judges by the wall clock, which may be set; the lease is judged by the monotonic one.
    lock.expiration = Number.POSITIVE_INFINITY;
    // The nodes may apply a shorter ttl even if their answers get lost.
    this.validUntil = Math.min(this.validUntil, validUntil(asked, ttl));
    this.lock = await this.redlock.extend(lock, ttl);
    return (this.validUntil = validUntil(asked, ttl));
  }

  async settle(): Promise<void> {
    this.isRun = true;
    await this.redlock.release(this.held());
  }

  async release(): Promise<void> {
    await this.redlock.release(this.held());
  }

  private held(): Lock {
    if (!this.lock) throw new Error('The claim has not been granted');
    return this.lock;
  }
}

/** A node as redlock sees it: a client that knows three scripts, by the hashes of their names. */
class Client {
  constructor(private readonly index: number) {}

  async evalsha(
    script: string,
    keyCount: number,
    [ballot, token, ttl]: readonly [Ballot, string, number],
  ): Promise<number> {
    try {
      return (await ballot.voters[this.index]?.answerTo(script, token, ttl)) ? keyCount : 0;
    } catch (error) {
      // redlock crashes the process on anything that is no Error.
      throw error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** The vote of one node on one claim. */
class Voter {
  private answer: 'none' | 'asked' | 'granted' | 'refused' | 'failed' = 'none';
  /** Whether the claim has been given back, perhaps before the node had answered. */
  private isGivenBack = false;
  private isClosed = false;
  private onClosed: () => void = () => {};

  constructor(
    private readonly node: LockNode,
    private readonly ballot: Ballot,
  ) {}

  answerTo(script: string, token: string, ttl: number): Promise<boolean> {
    if (script === ACQUIRE) return this.claim(token, ttl);
    return script === EXTEND ? this.extend(token, ttl) : this.end(token);
  }

  /** Waits no longer for the answer to the claim: what is granted after that is given back, unless the vote was won. */
  closePoll(): void {
    if (this.answer !== 'asked' || this.isClosed) return;
    this.isClosed = true;
    this.ballot.cast(undefined);
    this.onClosed();
  }

  private claim(token: string, ttl: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.onClosed = () => resolve(false);
      this.ask(token, ttl).then(resolve, reject);
    });
  }

  private async ask(token: string, ttl: number): Promise<boolean> {
    const { claim, passage, turnstile } = this.ballot;
    const isFirst = passage?.first === this.node;
    if (passage && !isFirst && (!(await passage.isOpen) || this.isGivenBack)) return false;
    const asked = performance.now();
    const isCounted = isFirst || this.ballot.isOfOne;
    this.answer = 'asked';
    try {
      const vote = await this.node.claim(isCounted ? claim : { ...claim, late: undefined }, token, ttl);
      this.answer = vote.vote === 'granted' ? 'granted' : 'refused';
      if (this.isGivenBack && this.answer === 'granted') this.giveBack(token);
      turnstile.note(this.node, performance.now() - asked, isFirst && 'holder' in vote);
      if (isFirst) passage.hear(vote);
      if (!this.isClosed) this.ballot.cast(vote);
      return vote.vote === 'granted';
    } catch (error) {
      this.answer = 'failed';
      if (this.isGivenBack) this.giveBack(token);
      turnstile.note(this.node, Number.POSITIVE_INFINITY);
      if (isFirst) passage.hear(undefined);
      const cause = error instanceof Error ? error : new Error(String(error));
      if (!this.isClosed) this.ballot.cast(cause);
      throw cause;
    }
  }

  private async extend(token: string, ttl: number): Promise<boolean> {
    const isHeld = await this.node.extend(this.ballot.claim, token, ttl);
    // A node that refused the claim can have joined with this.
    if (isHeld) this.answer = 'granted';
    return isHeld;
  }

  private async end(token: string): Promise<boolean> {
    const { claim, isRun } = this.ballot;
    // redlock knows the outcome before all have answered.
    if (this.answer === 'asked' && this.ballot.validUntil > 0) return this.follow(token);
    if (isRun) return this.node.settle(claim, token);
    // What is granted from now on is given back when it comes.
    this.isGivenBack = true;
    if (this.answer === 'granted') return this.node.release(claim, token);
    // It may have granted the claim all the same.
    if (this.answer === 'failed') this.giveBack(token);
    return false;
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

const ABSENT = { evalsha: () => Promise.resolve(0) };

/** When a lease that was asked for at `asked` may end on the first of the nodes, in the worst case. */
function validUntil(asked: number, ttl: number): number {
  return asked + ttl - ttl * DRIFT.factor - DRIFT.milliseconds;
}
