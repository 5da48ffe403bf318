import type { Claim, LockNode, Vote } from './lock-node.js';
import { lostTo, settled, UNBEGUN, type Verdict } from './tally.js';
import { type TokenSource, tokensOf } from './token.js';
import { validUntil } from './valid-until.js';
import { type Defeat, type Grant, type Store, TakenError } from './store.js';

/** A node alone: its word decides, and there are no votes to count. */
export class SoleNode implements Store {
  constructor(
    private readonly node: LockNode,
    private readonly newToken: TokenSource = tokensOf(''),
  ) {}

  async vote(claim: Claim, ttl: number): Promise<Grant | Defeat> {
    const grant = new SoleGrant(this.node, claim, this.newToken());
    try {
      const vote = await grant.claim(ttl);
      if (vote.vote !== 'granted') return { verdict: verdictOf(vote), causes: [] };
      grant.dead = vote.dead;
      if (grant.validUntil > performance.now()) return grant;
      // Before another attempt, which it would stand in the way of.
      await grant.release().catch(() => {});
      return { verdict: { is: 'split' }, causes: [] };
    } catch (error) {
      // It may have granted the claim all the same.
      void grant.release().catch(() => {});
      const cause = error instanceof Error ? error : new Error(String(error));
      return { verdict: { is: 'lost', reason: 'store-down' }, causes: [cause] };
    }
  }
}

class SoleGrant implements Grant {
  validUntil = 0;
  dead: string | undefined;

  constructor(
    private readonly node: LockNode,
    private readonly what: Claim,
    private readonly token: string,
  ) {}

  claim(ttl: number): Promise<Vote> {
    this.validUntil = validUntil(performance.now(), ttl);
    return this.node.claim(this.what, this.token, ttl);
  }

  async extend(ttl: number): Promise<number> {
    const extended = validUntil(performance.now(), ttl);
    // The node may apply a shorter ttl even if its answer gets lost.
    this.validUntil = Math.min(this.validUntil, extended);
    if (!(await this.node.extend(this.what, this.token, ttl))) throw new TakenError();
    return (this.validUntil = extended);
  }

  async settle(): Promise<void> {
    confirm(await this.node.settle(this.what, this.token));
  }

  async release(): Promise<void> {
    confirm(await this.node.release(this.what, this.token));
  }
}

function confirm(isHeld: boolean): void {
  if (!isHeld) throw new Error('it had ended before');
}

function verdictOf(vote: Exclude<Vote, { vote: 'granted' }>): Verdict {
  switch (vote.vote) {
    case 'settled':
      return settled(vote);
    case 'unbegun':
      return UNBEGUN;
    case 'early':
      return { is: 'early', wait: vote.wait };
    default:
      return lostTo(vote);
  }
}
