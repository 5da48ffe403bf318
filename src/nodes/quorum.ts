import { createHash } from 'node:crypto';
import Redlock, { type Lock } from 'redlock';
import type { Claim, LockNode, Vote } from './lock-node.js';
import { lostTo, Tally } from './tally.js';
import { type TokenSource, tokensOf } from './token.js';
import { type Passage, Turnstile } from './turnstile.js';
import { validUntil } from './valid-until.js';
import { type Ballot, Voter } from './voter.js';
import { type Defeat, type Grant, type Store, TakenError } from './store.js';

/**
 * Once a majority has answered and the vote is contested, the others have this long, in milliseconds, or this many times
 * what the majority took if that is longer, and at each further attempt twice as long. A node that hangs would else keep
 * the partial votes of each contender in the way of the others for its whole `nodeTimeout`. One that is only slow is heard
 * in the end, and nodes that are all slow are not asked again and again.
 */
const LAST_CALL = { milliseconds: 50, factor: 4 };
/** From this attempt on, a contested vote waits for nodes that are known to be slow, too. */
const HEAR_SLOW = 4;

/** Several nodes, of which a majority decides: redlock over them. The only file that knows redlock. */
export class Quorum implements Store {
  private readonly turnstile: Turnstile;
  /** Whether a majority answered at the last vote that could tell: who is cut off must not stand in the turnstile. */
  private isReached = true;
  private readonly redlock: Redlock;
  /** Those that are asked for, or won, by the text that redlock takes for what is to be locked. */
  private readonly ballots = new Map<string, RedlockBallot>();
  private lastBallot = 0;

  constructor(
    private readonly nodes: readonly LockNode[],
    newToken: TokenSource = tokensOf(''),
  ) {
    this.turnstile = new Turnstile(nodes);
    const clients = nodes.map((_node, index) => new Client(index, this.ballots));
    // Of an even number of nodes each half could wait for the other for ever: one that is never there decides.
    const all = nodes.length % 2 === 0 ? [...clients, ABSENT] : clients;
    this.redlock = new Redlock(all as unknown as RedlockClients, SETTINGS, SCRIPTS);
    // Its own tokens are random only, name no instance, and take longer to make than all else that it does.
    Reflect.set(this.redlock, '_random', newToken);
  }

  /**
   * Asks every node once, and gives back what was granted if that was no majority. A claim that has `late`, or comes in
   * turn, is put to one node first, and to the others only if that one does not turn it away.
   */
  async vote(claim: Claim, ttl: number, attempt = 0, isInTurn = false): Promise<Grant | Defeat> {
    const passage = (claim.late || isInTurn) && this.isReached ? this.turnstile.enter() : undefined;
    const ballot = new RedlockBallot(this.redlock, this.nodes, this.turnstile, claim, attempt, passage);
    const name = `${++this.lastBallot}`;
    this.ballots.set(name, ballot);
    ballot.onOver = () => this.ballots.delete(name);
    const defeat = (await ballot.acquire(name, ttl)) ? undefined : await ballot.defeat();
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
class RedlockBallot implements Ballot, Grant {
  validUntil = 0;
  readonly tally: Tally;
  isRun = false;
  dead: string | undefined;
  readonly voters: readonly Voter[];
  /** Called when redlock has nothing more to ask. */
  onOver: () => void = () => {};
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
    this.voters = nodes.map((node) => new Voter(node, this));
  }

  /** Whether a majority has granted the claim, with some of the lease still to come. */
  async acquire(name: string, ttl: number): Promise<boolean> {
    this.asked = performance.now();
    try {
      this.lock = await this.redlock.acquire([name], ttl);
    } catch {
      this.onOver();
      return false;
    }
    this.validUntil = validUntil(this.asked, ttl);
    if (this.validUntil > performance.now()) return true;
    await this.release().catch(() => {});
    return false;
  }

  cast(vote: Vote | Error | undefined): void {
    if (vote && 'dead' in vote) this.dead ??= vote.dead;
    this.tally.cast(vote);
    if (!this.tally.isContested) return;
    const awaited = this.voters.filter((voter) => voter.isAwaited);
    const close = (): void => awaited.forEach((voter) => voter.closePoll());
    if (awaited.every(({ node }) => this.isSpared(node))) return close();
    this.lastCall ??= setTimeout(close, this.patience()).unref();
  }

  /** Whether it is not waited for: one that failed when it was last asked, and at first one that is slow. */
  private isSpared(node: LockNode): boolean {
    return this.turnstile.isDown(node) || (this.attempt < HEAR_SLOW && this.turnstile.isSlow(node));
  }

  /** How long the others may take once a majority has answered, in milliseconds. */
  private patience(): number {
    const took = performance.now() - this.asked;
    return Math.max(LAST_CALL.milliseconds, LAST_CALL.factor * took) * 2 ** Math.min(this.attempt, 4);
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
    try {
      this.lock = await this.redlock.extend(lock, ttl);
    } catch (error) {
      // redlock reports a clear no and an outage as the same error.
      throw 2 * this.voters.filter((voter) => voter.isTaken).length > this.voters.length
        ? new TakenError()
        : error;
    }
    return (this.validUntil = validUntil(asked, ttl));
  }

  settle(): Promise<void> {
    this.isRun = true;
    return this.release();
  }

  async release(): Promise<void> {
    const over = this.redlock.release(this.held());
    // By now its clients have been asked.
    this.onOver();
    await over;
  }

  private held(): Lock {
    if (!this.lock) throw new Error('The claim has not been granted');
    return this.lock;
  }
}

/** A node as redlock sees it: a client that knows three scripts, by the hashes of their names. */
class Client {
  constructor(
    private readonly index: number,
    private readonly ballots: ReadonlyMap<string, RedlockBallot>,
  ) {}

  evalsha(
    script: string,
    _keyCount: number,
    [name, token, ttl]: readonly [string, string, number],
  ): Promise<number> {
    const voter = this.ballots.get(name)?.voters[this.index];
    if (!voter) return Promise.reject(new Error('That ballot is over'));
    // Voters reject with Errors only, as redlock needs it.
    if (script === ACQUIRE) return voter.claim(token, ttl);
    return script === EXTEND ? voter.extend(token, ttl) : voter.end(token);
  }
}

const ABSENT = { evalsha: () => Promise.resolve(0) };
