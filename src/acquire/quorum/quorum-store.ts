import type { Clock } from '../../clock.js';
import type { Claim, LockNode } from '../../nodes/lock-node.js';
import { isDown, type VoteResult } from '../outcome.js';
import type { Store } from '../store.js';
import { type TokenSource, tokensOf } from '../token.js';
import { Ballot } from './ballot.js';
import { LeadVote } from './lead-vote.js';
import { NodeLatencies } from './node-latencies.js';
import { ReplicatedPauses } from '../replicated-pauses.js';
import { PauseVotes } from './pause-votes.js';
import { RedlockAdapter } from './redlock-adapter.js';

/** Several nodes that decide by majority. */
export class QuorumStore implements Store {
  private readonly latencies: NodeLatencies;
  private readonly adapter: RedlockAdapter;
  private readonly pauses: ReplicatedPauses;
  /**
   * `false` if the nodes were down (see `isDown`) at the last vote that did not end at the lead node. Then the lead
   * node is not asked first: an instance that is cut off cannot win. Its claim at the lead node would take an early
   * rank, which should go to an instance that can win.
   */
  private isReached = true;

  constructor(
    private readonly nodes: readonly LockNode[],
    private readonly clock: Clock,
    private readonly newToken: TokenSource = tokensOf(''),
  ) {
    this.latencies = new NodeLatencies(nodes);
    this.pauses = new ReplicatedPauses(nodes, clock);
    this.adapter = new RedlockAdapter(nodes.length);
  }

  /**
   * If the claim has a `loserCounter`, or `asksLeadFirst` is set, asks the lead node first, and the others only if the
   * lead node does not deny the claim. Otherwise, or if the nodes were down at the last vote (see `isReached`), asks
   * all nodes at once.
   */
  async vote(claim: Claim, ttl: number, contested = 0, asksLeadFirst = false): Promise<VoteResult> {
    const { adapter, nodes, latencies, clock } = this;
    const token = this.newToken(claim.run);
    const lead = (claim.loserCounter || asksLeadFirst) && this.isReached ? latencies.lead() : undefined;
    const leadVote = lead && new LeadVote(lead, latencies.leadWait(lead, contested), clock);
    const pauseVotes = claim.pause === undefined ? undefined : this.pauseVotesOf(claim.pause);
    const ballot = new Ballot(
      adapter,
      nodes,
      latencies,
      clock,
      claim,
      token,
      contested,
      leadVote,
      pauseVotes,
    );
    const result = (await ballot.acquire(ttl)) ? ballot : await ballot.denial();
    if (result.kind !== 'denied by lead') {
      this.isReached = !isDown(result);
    }
    // A node that was down missed the pause, or its end. It must be told before the retry, which comes soon.
    if (result.kind === 'split' && result.isPauseUnclear && claim.pause !== undefined) {
      await this.pauses.repair(claim.pause);
    }
    return result;
  }

  /** A node that missed the pause, or its end, learns of it now: another node may be the next to fail. */
  private pauseVotesOf(key: string): PauseVotes {
    return new PauseVotes(this.nodes.length, (isPaused) => void this.pauses.repair(key, isPaused));
  }
}
