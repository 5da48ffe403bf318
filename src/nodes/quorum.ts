import { createHash } from 'node:crypto';
import Redlock, { type Lock } from 'redlock';
import type { Claim, LockNode, Vote } from './lock-node.js';

/** Why a claim was lost. */
export type LossReason = 'elsewhere' | 'overlap' | 'settled' | 'store-down';

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

/** What the votes say where no majority granted the claim. */
export type Verdict =
  | { readonly is: 'lost'; readonly reason: LossReason; readonly lease?: number }
  /** The tick is due on enough of the nodes only in `wait` milliseconds. */
  | { readonly is: 'early'; readonly wait: number }
  /** Nobody has a majority. */
  | { readonly is: 'split' };

/** A vote that was not won. */
export interface Defeat {
  readonly verdict: Verdict;
  /** What was wrong with the nodes that could not vote. */
  readonly causes: readonly Error[];
}

/** Clocks of different computers drift apart by at most this part of a lease, and keys end on a whole millisecond. */
const DRIFT = { factor: 0.01, milliseconds: 2 };

/** The nodes as one: redlock over a majority of them. The only file that knows redlock. */
export class Quorum {
  private readonly majority: number;

  constructor(private readonly nodes: readonly LockNode[]) {
    this.majority = Math.floor(nodes.length / 2) + 1;
  }

  /** Asks every node once, and gives back what was granted if that was no majority. */
  async vote(claim: Claim, ttl: number): Promise<Grant | Defeat> {
    const ballot = new Ballot(this.nodes, this.majority, claim);
    return (await ballot.acquire(ttl)) ? ballot : { verdict: await ballot.count(), causes: ballot.causes };
  }
}

// To redlock a script is a text that it hands to its clients. Our voters have their own way of doing each of the
// three, so the texts are only names. redlock takes them as functions; strings it would silently ignore.
const SCRIPTS = {
  acquireScript: () => 'acquire',
  extendScript: () => 'extend',
  releaseScript: () => 'release',
};
const ACQUIRE = createHash('sha1').update('acquire').digest('hex');
const EXTEND = createHash('sha1').update('extend').digest('hex');

/** redlock must not retry by itself: it would do so while it still holds its own partial votes. */
const SETTINGS = { retryCount: 0, driftFactor: DRIFT.factor };

type RedlockClients = ConstructorParameters<typeof Redlock>[0];

/** One claim and the votes on it, from the attempt to get it until it is given back. */
class Ballot implements Grant {
  validUntil = 0;
  readonly causes: Error[] = [];
  private readonly refusals: Vote[] = [];
  private readonly redlock: Redlock;
  private lock: Lock | undefined;
  private granted = 0;
  private isOver = false;
  private onVote: () => void = () => {};

  constructor(
    private readonly nodes: readonly LockNode[],
    private readonly majority: number,
    readonly claim: Claim,
  ) {
    const voters = nodes.map((node) => new Voter(node, this));
    // Of an even number of nodes each half could wait for the other for ever: one that is never there decides.
    const clients = nodes.length % 2 === 0 ? [...voters, ABSENT] : voters;
    this.redlock = new Redlock(clients as unknown as RedlockClients, SETTINGS, SCRIPTS);
  }

  /** Whether a majority has granted the claim, with some of the lease still to come. */
  async acquire(ttl: number): Promise<boolean> {
    const asked = performance.now();
    const { lock, tick, every } = this.claim;
    const keys = [lock, ...(tick ? [tick.key] : []), ...(every ? [every.key] : [])];
    try {
      this.lock = await this.redlock.acquire(keys, ttl);
    } catch {
      return false;
    }
    this.validUntil = validUntil(asked, ttl);
    if (this.validUntil > performance.now()) return true;
    await this.release().catch(() => {});
    return false;
  }

  async extend(ttl: number): Promise<number> {
    const asked = performance.now();
    const lock = this.held();
    // redlock judges by the wall clock, which may be set; the lease is judged by the monotonic one.
    lock.expiration = Number.POSITIVE_INFINITY;
    this.lock = await this.redlock.extend(lock, ttl);
    return (this.validUntil = validUntil(asked, ttl));
  }

  async settle(): Promise<void> {
    this.isOver = true;
    await this.redlock.release(this.held());
  }

  async release(): Promise<void> {
    await this.redlock.release(this.held());
  }

  /** What the votes say, as soon as they say it for certain. */
  async count(): Promise<Verdict> {
    for (;;) {
      const verdict = this.certain();
      if (verdict) return verdict;
      await new Promise<void>((resolve) => (this.onVote = resolve));
    }
  }

  /** Whether the run is over, so that giving the lock back means to settle. */
  get settling(): boolean {
    return this.isOver;
  }

  cast(vote: Vote | Error): void {
    if (vote instanceof Error) this.causes.push(vote);
    else if (vote.vote === 'granted') this.granted++;
    else this.refusals.push(vote);
    this.onVote();
  }

  private certain(): Verdict | undefined {
    const holders = new Map<string, number>();
    const waits: number[] = [];
    for (const vote of this.refusals) {
      if (vote.vote === 'early') waits.push(vote.wait);
      else if (vote.vote === 'settled' && vote.holder === undefined) return { is: 'lost', reason: 'settled' };
      else if (vote.vote !== 'granted' && vote.holder !== undefined) {
        const votes = (holders.get(vote.holder) ?? 0) + 1;
        if (votes >= this.majority) return { is: 'lost', reason: vote.vote, lease: leaseOf(vote) };
        holders.set(vote.holder, votes);
      }
    }
    if (this.nodes.length - this.causes.length < this.majority) return { is: 'lost', reason: 'store-down' };
    if (this.granted + this.refusals.length + this.causes.length < this.nodes.length) return undefined;
    // Once this many of the nodes that found it early have come to its time, a majority can be had.
    const wanted = this.majority - this.granted;
    const wait = waits.toSorted((a, b) => a - b)[wanted - 1];
    return wait === undefined ? { is: 'split' } : { is: 'early', wait };
  }

  private held(): Lock {
    if (!this.lock) throw new Error('The claim has not been granted');
    return this.lock;
  }
}

/** A node as redlock sees it: a client that knows three scripts, by the hashes of their names. */
class Voter {
  private refused = false;

  constructor(
    private readonly node: LockNode,
    private readonly ballot: Ballot,
  ) {}

  async evalsha(script: string, keyCount: number, values: readonly (string | number)[]): Promise<number> {
    const token = String(values[keyCount]);
    if (script === ACQUIRE) return (await this.claim(token, Number(values[keyCount + 1]))) ? keyCount : 0;
    const { claim, settling } = this.ballot;
    if (script === EXTEND) {
      return (await this.node.extend(claim, token, Number(values[keyCount + 1]))) ? keyCount : 0;
    }
    if (settling) return (await this.node.settle(claim, token)) ? keyCount : 0;
    // What never was granted need not be given back.
    return !this.refused && (await this.node.release(claim, token)) ? keyCount : 0;
  }

  private async claim(token: string, ttl: number): Promise<boolean> {
    try {
      const vote = await this.node.claim(this.ballot.claim, token, ttl);
      this.refused = vote.vote !== 'granted';
      this.ballot.cast(vote);
      return !this.refused;
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      this.ballot.cast(cause);
      throw cause;
    }
  }
}

const ABSENT = { evalsha: () => Promise.resolve(0) };

/** When a lease that was asked for at `asked` may end on the first of the nodes, in the worst case. */
function validUntil(asked: number, ttl: number): number {
  return asked + ttl - ttl * DRIFT.factor - DRIFT.milliseconds;
}

function leaseOf(vote: Vote): number | undefined {
  return vote.vote === 'elsewhere' ? vote.lease : undefined;
}
