import { createHash } from 'node:crypto';
import Redlock, { type Lock } from 'redlock';

/**
 * What redlock asks one node about one claim; 1 means yes, 0 means no. Must reject with Errors only: redlock crashes
 * the process on anything else.
 */
export interface RedlockVoter {
  claim(ttl: number): Promise<number>;
  extend(ttl: number): Promise<number>;
  end(): Promise<number>;
}

// redlock treats scripts as opaque strings and passes them to its clients. Our clients only tell the three apart, so
// names are enough. redlock expects functions and silently ignores strings.
const SCRIPTS = {
  acquireScript: () => 'acquire',
  extendScript: () => 'extend',
  releaseScript: () => 'release',
};
const ACQUIRE = createHash('sha1').update('acquire').digest('hex');
const EXTEND = createHash('sha1').update('extend').digest('hex');

/** redlock must not retry by itself: it would retry while it still holds its own partial votes. */
const SETTINGS = { retryCount: 0 };

/** Added to an even number of nodes, where each half could otherwise wait for the other forever. */
const NEVER_VOTES = { evalsha: () => Promise.resolve(0) };

type RedlockClients = ConstructorParameters<typeof Redlock>[0];

/**
 * The only file that imports redlock. redlock asks all nodes, counts the majority, and undoes failed claims; its
 * scripts, clients, tokens, clock and retries are replaced.
 */
export class RedlockAdapter {
  private readonly redlock: Redlock;
  /** The voters of each claim, by the name that redlock locks as its resource. */
  private readonly voters = new Map<string, readonly RedlockVoter[]>();
  private lastName = 0;

  constructor(nodes: number) {
    const clients: object[] = Array.from({ length: nodes }, (_, index) => new Client(index, this.voters));
    if (nodes % 2 === 0) clients.push(NEVER_VOTES);
    this.redlock = new Redlock(clients as unknown as RedlockClients, SETTINGS, SCRIPTS);
    // Nobody sees redlock's own tokens, which cost 6 % of a claim on five nodes (npm run bench).
    Reflect.set(this.redlock, '_random', () => 'unused');
  }

  /** @param voters One for each node. */
  claim(voters: readonly RedlockVoter[]): RedlockClaim {
    // One Redlock for all claims: creating one per claim costs 8 % of a claim on five nodes (npm run bench).
    const name = `${++this.lastName}`;
    this.voters.set(name, voters);
    return new RedlockClaim(this.redlock, name, () => this.voters.delete(name));
  }
}

/** One claim that redlock carries out. */
export class RedlockClaim {
  private lock: Lock | undefined;

  /** @param onOver Called when redlock no longer needs the voters. */
  constructor(
    private readonly redlock: Redlock,
    private readonly name: string,
    private readonly onOver: () => void,
  ) {}

  /** Resolves to whether a majority has granted the claim. */
  async acquire(ttl: number): Promise<boolean> {
    try {
      this.lock = await this.redlock.acquire([this.name], ttl);
      return true;
    } catch {
      this.onOver();
      return false;
    }
  }

  /** Rejects without a majority: redlock reports a clear no and an outage as the same error. */
  async extend(ttl: number): Promise<void> {
    const lock = this.held();
    // redlock checks this against the wall clock, which may be set; leases use the monotonic clock.
    lock.expiration = Number.POSITIVE_INFINITY;
    this.lock = await this.redlock.extend(lock, ttl);
  }

  /** Forgets the voters: the claim is neither extended nor released. */
  abandon(): void {
    this.onOver();
  }

  /** Rejects without a majority. */
  async release(): Promise<void> {
    const over = this.redlock.release(this.held());
    // redlock has asked its clients by now.
    this.onOver();
    await over;
  }

  private held(): Lock {
    if (!this.lock) throw new Error('The claim has not been granted');
    return this.lock;
  }
}

/** A node as redlock sees it: a client with three scripts, identified by the hashes of their names. */
class Client {
  constructor(
    private readonly index: number,
    private readonly voters: ReadonlyMap<string, readonly RedlockVoter[]>,
  ) {}

  evalsha(
    script: string,
    _keyCount: number,
    [name, , ttl]: readonly [string, string, number],
  ): Promise<number> {
    const voter = this.voters.get(name)?.[this.index];
    if (!voter) return Promise.reject(new Error('That claim is over'));
    if (script === ACQUIRE) return voter.claim(ttl);
    return script === EXTEND ? voter.extend(ttl) : voter.end();
  }
}
