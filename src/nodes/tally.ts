import type { LossReason } from '../run-outcome.js';
import type { Refusal, Vote } from './lock-node.js';

/** Somebody else has it, or nobody can. */
export interface Lost {
  readonly is: 'lost';
  readonly reason: LossReason;
  /** After how many milliseconds the lease of the holder ends if it is not renewed; known for ticks that recover. */
  readonly lease?: number;
  /** The token of the claim that stands in the way, where one does. */
  readonly holder?: string;
  /** Whether it was a takeover of a tick that nobody has begun. */
  readonly isUnbegun?: boolean;
  /** By how many milliseconds the newest settled tick is ahead of the clock of a node that has been set back. */
  readonly ahead?: number;
  /** The how many-th it is that lost, where the node that said so counts. */
  readonly rank?: number;
}

/** What the votes say where no majority granted the claim. */
export type Verdict =
  | Lost
  /** One node, asked before the others, turned the claim away. */
  | { readonly is: 'turned away'; readonly lost: Lost }
  /** The tick is due on enough of the nodes only in `wait` milliseconds. */
  | { readonly is: 'early'; readonly wait: number }
  /** Nobody has a majority. */
  | { readonly is: 'split' };

/** The votes on one claim, as they come in. */
export class Tally {
  /** What was wrong with the nodes that could not vote. */
  readonly causes: Error[] = [];
  private readonly against: Exclude<Vote, { vote: 'granted' }>[] = [];
  private granted = 0;
  private silent = 0;
  private onVote: () => void = () => {};

  constructor(private readonly nodes: number) {}

  /** @param vote `undefined`: the node was not waited for. */
  cast(vote: Vote | Error | undefined): void {
    if (vote === undefined) this.silent++;
    else if (vote instanceof Error) this.causes.push(vote);
    else if (vote.vote === 'granted') this.granted++;
    else this.against.push(vote);
    this.onVote();
  }

  /** Whether a majority has answered, not all of it for the claim, and others have not: nobody may win while it waits. */
  get isContested(): boolean {
    const answered = this.granted + this.against.length;
    return this.against.length > 0 && answered >= majorityOf(this.nodes) && this.done < this.nodes;
  }

  /** What the votes say, as soon as they say it for certain. To be asked once. */
  async verdict(): Promise<Verdict> {
    for (;;) {
      const verdict = this.certain();
      if (verdict) return verdict;
      await new Promise<void>((resolve) => (this.onVote = resolve));
    }
  }

  /** How many nodes are done with. */
  private get done(): number {
    return this.granted + this.against.length + this.causes.length + this.silent;
  }

  private certain(): Verdict | undefined {
    const majority = majorityOf(this.nodes);
    const holders = new Map<string, number>();
    const waits: number[] = [];
    let unbegun = 0;
    for (const vote of this.against) {
      if (vote.vote === 'settled') return settled(vote);
      if (vote.vote === 'early') {
        waits.push(vote.wait);
        continue;
      }
      if (vote.vote === 'unbegun') {
        if (++unbegun >= majority) return UNBEGUN;
        continue;
      }
      const votes = (holders.get(vote.holder) ?? 0) + 1;
      if (votes >= majority) return lostTo(vote);
      holders.set(vote.holder, votes);
    }
    if (this.nodes - this.causes.length < majority) return { is: 'lost', reason: 'store-down' };
    if (this.done < this.nodes) return undefined;
    // Once as many of the nodes that found it early have come to its time, a majority can be had.
    const wait = waits.toSorted((a, b) => a - b)[majority - this.granted - 1];
    if (wait !== undefined) return { is: 'early', wait };
    return { is: 'split' };
  }
}

function majorityOf(nodes: number): number {
  return Math.floor(nodes / 2) + 1;
}

/** A claim that the claim of somebody else stands against. */
export function lostTo({ vote, lease, rank, holder }: Refusal): Lost {
  return { is: 'lost', reason: vote === 'ran' ? 'settled' : vote, lease, rank, holder };
}

/** A claim of a tick that has been run. */
export function settled({ ahead }: { readonly ahead?: number }): Lost {
  return { is: 'lost', reason: 'settled', ahead };
}

/** A takeover of a tick that nobody has begun: there is nothing to run again. */
export const UNBEGUN: Lost = { is: 'lost', reason: 'settled', isUnbegun: true };
