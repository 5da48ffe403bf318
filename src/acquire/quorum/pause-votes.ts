import type { Vote } from '../../nodes/lock-node.js';

/** What the votes on a claim say about the pause of its job. */
export class PauseVotes {
  private paused = 0;
  private unpaused = 0;
  private isNoted = false;

  /** @param onDissent Called once if a majority has decided whether the job is paused, and a node disagrees. */
  constructor(
    private readonly nodes: number,
    private readonly onDissent: (isPaused: boolean) => void,
  ) {}

  add(vote: Vote): void {
    // A node that says `settled` or `early` has not read the pause.
    if (vote.kind === 'settled' || vote.kind === 'early') return;
    if (vote.kind === 'paused') this.paused++;
    else this.unpaused++;
    const { paused, unpaused } = this;
    if (this.isNoted || paused === 0 || unpaused === 0 || 2 * Math.max(paused, unpaused) <= this.nodes)
      return;
    this.isNoted = true;
    this.onDissent(paused > unpaused);
  }
}
