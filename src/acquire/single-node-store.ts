import type { Clock } from '../clock.js';
import { errorOf } from '../errors.js';
import type { Claim, LockNode, Vote } from '../nodes/lock-node.js';
import {
  deniedAsSettled,
  deniedBy,
  type Denial,
  type Grant,
  isUnsent,
  PAUSED,
  UNBEGUN,
  type Undecided,
  type VoteResult,
  withoutQuorum,
} from './outcome.js';
import { NotHeldError, type Store, TakenError, validUntil } from './store.js';
import { releaseEarlierAttempt } from './earlier-attempt.js';
import { isEarlierAttempt, type TokenSource, tokensOf } from './token.js';

/** A single node, which decides alone. */
export class SingleNodeStore implements Store {
  constructor(
    private readonly node: LockNode,
    private readonly clock: Clock,
    private readonly newToken: TokenSource = tokensOf(''),
  ) {}

  async vote(claim: Claim, ttl: number): Promise<VoteResult> {
    const token = this.newToken(claim.run);
    const grant = new SingleNodeGrant(this.node, this.clock, claim, token);
    try {
      const vote = await grant.claim(ttl);
      if (vote.kind !== 'granted') {
        const own = releaseEarlierAttempt(this.node, claim, token, vote);
        return own ? { kind: 'split', own } : resultOf(vote);
      }
      if (!isEarlierAttempt(vote.dead, token)) grant.dead = vote.dead;
      grant.last = vote.last;
      grant.unfinished = vote.unfinished;
      if (grant.validUntil > this.clock.elapsed()) return grant;
      // Released first, so that it does not block the retry.
      await grant.release().catch(() => {});
      return { kind: 'split' };
    } catch (error) {
      // The node may have granted the claim anyway.
      if (!isUnsent(error)) void grant.release().catch(() => {});
      return withoutQuorum([errorOf(error)], 1);
    }
  }
}

class SingleNodeGrant implements Grant {
  readonly kind = 'granted';
  validUntil = 0;
  dead: string | undefined;
  last: number | undefined;
  unfinished: string | undefined;

  constructor(
    private readonly node: LockNode,
    private readonly clock: Clock,
    private readonly what: Claim,
    private readonly token: string,
  ) {}

  claim(ttl: number): Promise<Vote> {
    this.validUntil = validUntil(this.clock.elapsed(), ttl);
    return this.node.claim(this.what, this.token, ttl);
  }

  async extend(ttl: number): Promise<number> {
    const extended = validUntil(this.clock.elapsed(), ttl);
    // If `ttl` is shorter than before, the node may have applied it even if its answer gets lost.
    this.validUntil = Math.min(this.validUntil, extended);
    if (!(await this.node.extend(this.what, this.token, ttl))) throw new TakenError();
    return (this.validUntil = extended);
  }

  async settle(record?: string): Promise<void> {
    confirm(await this.node.settle(this.what, this.token, record));
  }

  async release(): Promise<void> {
    confirm(await this.node.release(this.what, this.token));
  }
}

function confirm(isHeld: boolean): void {
  if (!isHeld) throw new NotHeldError();
}

function resultOf(vote: Exclude<Vote, { kind: 'granted' }>): Denial | Undecided {
  switch (vote.kind) {
    case 'settled':
      return deniedAsSettled(vote);
    case 'unbegun':
      return UNBEGUN;
    case 'paused':
      return PAUSED;
    case 'early':
      return { kind: 'early', wait: vote.wait };
    default:
      return deniedBy(vote);
  }
}
