import type { Conflict, Vote } from '../../nodes/lock-node.js';
import {
  deniedAsSettled,
  deniedBy,
  type Denial,
  PAUSED,
  UNBEGUN,
  type Undecided,
  withoutQuorum,
} from '../outcome.js';
import { isEarlierAttempt } from '../token.js';

/** Counts the votes on one claim as they arrive. */
export class Tally {
  private readonly causes: Error[] = [];
  private readonly against: Exclude<Vote, { kind: 'granted' }>[] = [];
  private granted = 0;
  private silent = 0;
  private onVote: () => void = () => {};

  /** @param token The token of the claim. */
  constructor(
    private readonly nodes: number,
    private readonly token: string,
  ) {}

  /** @param vote An error if the node could not vote; `undefined` if its vote is no longer waited for. */
  add(vote: Vote | Error | undefined): void {
    if (vote === undefined) this.silent++;
    else if (vote instanceof Error) this.causes.push(vote);
    else if (vote.kind === 'granted') this.granted++;
    else this.against.push(vote);
    this.onVote();
  }

  /**
   * Whether a majority has answered, at least one node has voted against the claim, and some nodes have not answered:
   * waiting for these nodes could block every contender.
   */
  get isContested(): boolean {
    const answered = this.granted + this.against.length;
    return this.against.length > 0 && answered >= majorityOf(this.nodes) && this.done < this.nodes;
  }

  /** The result of the votes against the claim, as soon as it is certain. Must be called once only. */
  async denial(): Promise<Denial | Undecided> {
    for (;;) {
      const result = this.certain();
      if (result) return result;
      await new Promise<void>((resolve) => (this.onVote = resolve));
    }
  }

  /** The number of nodes that have answered, failed or been given up on. */
  private get done(): number {
    return this.granted + this.against.length + this.causes.length + this.silent;
  }

  private certain(): Denial | Undecided | undefined {
    const { causes } = this;
    const majority = majorityOf(this.nodes);
    const holders = new Map<string, number>();
    const waits: number[] = [];
    let unbegun = 0;
    let paused = 0;
    let own: Conflict | undefined;
    for (const vote of this.against) {
      if (vote.kind === 'settled') return deniedAsSettled(vote, causes);
      if (vote.kind === 'early') {
        waits.push(vote.wait);
        continue;
      }
      if (vote.kind === 'unbegun') {
        if (++unbegun >= majority) return UNBEGUN;
        continue;
      }
      if (vote.kind === 'paused') {
        if (++paused >= majority) return PAUSED;
        continue;
      }
      if (isEarlierAttempt(vote.holder, this.token)) {
        own = vote;
        continue;
      }
      const votes = (holders.get(vote.holder) ?? 0) + 1;
      if (votes >= majority) return deniedBy(vote, causes);
      holders.set(vote.holder, votes);
    }
    if (this.nodes - causes.length < majority) return withoutQuorum(causes, this.nodes);
    if (this.done < this.nodes) return undefined;
    // A majority is possible once the tick is due on enough of the nodes that voted `early`.
    const wait = waits.toSorted((a, b) => a - b)[majority - this.granted - 1];
    if (wait !== undefined) return { kind: 'early', wait };
    const isBegun = holders.size === 0 && this.granted > 0 && unbegun > 0 && unbegun + this.silent < majority;
    return { kind: 'split', isPauseUnclear: paused > 0, isBegun, own };
  }
}

/** Resolves to whether a majority of the answers is yes, as soon as that is certain. The answers must not reject. */
export function isYesOfMajority(answers: readonly Promise<boolean>[]): Promise<boolean> {
  const majority = majorityOf(answers.length);
  let [yes, open] = [0, answers.length];
  return new Promise((resolve) => {
    const count = (isYes: boolean): void => {
      open--;
      if (isYes) yes++;
      if (yes >= majority) resolve(true);
      else if (yes + open < majority) resolve(false);
    };
    for (const answer of answers) void answer.then(count);
  });
}

/** How many of the nodes are a majority. */
export function majorityOf(nodes: number): number {
  return Math.floor(nodes / 2) + 1;
}
