import { createHash } from 'node:crypto';
import Redlock, { type Lock } from 'redlock';
import { NotHeldError } from '../store.js';

/**
 * What redlock asks one node about one claim; 1 means yes, 0 means no. Must reject with Errors only: redlock crashes
 * the process on anything else.
 */
export interface RedlockVoter {
  claim(ttl: number): Promise<number>;
  extend(ttl: number): Promise<number>;
  end(): Promise<number>;
  /** The error of `end`. */
  readonly endFailure: Error | undefined;
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

/** Added to an even number of nodes: if as many votes were for a claim as against it, redlock would never answer. */
const NEVER_VOTES = { evalsha: () => Promise.resolve(0) };

type RedlockClients = ConstructorParameters<typeof Redlock>[0];

/**
 * The only file that imports redlock. redlock asks all nodes, counts the majority, and undoes failed claims; its
 * scripts, clients, tokens, clock and retries are replaced.
 */
export class RedlockAdapter {
  private readonly redlock: Redlock;

  constructor(nodes: number) {
    const clients: object[] = Array.from({ length: nodes }, (_, index) => new Client(index));
    if (nodes % 2 === 0) clients.push(NEVER_VOTES);
    this.redlock = new Redlock(clients as unknown as RedlockClients, SETTINGS, SCRIPTS);
    // Nobody sees redlock's own tokens, which cost 6 % of a claim on five nodes (npm run bench).
    Reflect.set(this.redlock, '_random', () => 'unused');
  }

  /** @param voters One for each node. */
  claim(voters: readonly RedlockVoter[]): RedlockClaim {
    // One Redlock for all claims: creating one per claim costs 8 % of a claim on five nodes (npm run bench).
    return new RedlockClaim(this.redlock, voters);
  }
}

/** One claim that redlock carries out. */
export class RedlockClaim {
  private lock: Lock | undefined;

  constructor(
    private readonly redlock: Redlock,
    private readonly voters: readonly RedlockVoter[],
  ) {}

  /** Resolves to whether a majority has granted the claim. */
  async acquire(ttl: number): Promise<boolean> {
    try {
      // redlock hands its resources on to its clients as they are, so the voters are the resource.
      this.lock = await this.redlock.acquire([this.voters] as unknown as string[], ttl);
      return true;
    } catch {
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

  /** Rejects without a majority, with the errors of the nodes: redlock does not say what they are. */
  async release(): Promise<void> {
    const lock = this.held();
    try {
      await this.redlock.release(lock);
    } catch {
      const causes = this.voters.flatMap(({ endFailure }) => endFailure?.message ?? []);
      throw causes.length > 0 ? new Error(causes.join('; ')) : new NotHeldError();
    }
  }

  private held(): Lock {
    if (!this.lock) throw new Error('The claim has not been granted');
    return this.lock;
  }
}

/** A node as redlock sees it: a client with three scripts, identified by the hashes of their names. */
class Client {
  constructor(private readonly index: number) {}

  evalsha(
    script: string,
    _keyCount: number,
    [voters, , ttl]: readonly [readonly RedlockVoter[], string, number],
  ): Promise<number> {
    const voter = voters[this.index]!;
    if (script === ACQUIRE) return voter.claim(ttl);
    return script === EXTEND ? voter.extend(ttl) : voter.end();
  }
}
