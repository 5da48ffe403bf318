import { setTimeout as pause } from 'node:timers/promises';
import type { Claim } from './lock-node.js';
import type { Lost, Verdict } from './tally.js';
import type { Grant, Store } from './store.js';

/** A claim that was lost. */
export interface Loss extends Omit<Lost, 'is'> {
  /** What was wrong with the nodes that could not vote. */
  readonly causes: readonly Error[];
}

/**
 * Who splits a vote comes again within the first of these, in milliseconds, doubled each time. From then on the contenders
 * go in turn, by one node that all ask first: only one of them can pass, so that their votes do not block each other.
 */
const SPLIT_PAUSE = { first: 16, most: 256 };
/** Every Nth attempt asks all nodes at once: the first node may still hold the vote of a dead instance. */
const ALL_AT_ONCE = 4;
/** How often to look whether what one waits for has become free, in milliseconds. */
const WAIT_PAUSE = 100;
/** How long a tick that finds another run of its job waits for the end of that, in milliseconds. */
const OVERLAP_PATIENCE = 250;
/** How often it looks, in milliseconds. */
const OVERLAP_PAUSE = 50;
/** How often to look whether nodes have come back, in milliseconds. */
const DOWN_PAUSE = 25;
/**
 * How often to ask again whether a tick is due by the clocks of the nodes, in milliseconds, and for how long: as much as
 * clocks may differ. A clock that was wrong for a moment costs no tick, and one that stays wrong leaves no claim waiting.
 */
const EARLY = { pause: 5000, patience: 30_000 };
/** How many of those who lose come again: in case the one that passed fails, or the run in the way ends. */
const UNDERSTUDIES = 2;
/** Delay before such a loser retries, in milliseconds, randomized between one and two times this. */
const UNDERSTUDY_PAUSE = 50;

/** Puts a claim to the vote until somebody has won. */
export class Claimant {
  /** @param nodeTimeout How long a node may take to answer, in milliseconds. */
  constructor(
    private readonly store: Store,
    private readonly nodeTimeout: number,
  ) {}

  /**
   * Claims until this claimant has won or, by the tokens that the nodes name, another one. A vote that is split so
   * that nobody has a majority is given back whole, and taken again after a random pause.
   *
   * @param ttl The lease, in milliseconds.
   * @param wait How long to go on while another one holds the lock, in milliseconds.
   * @param signal No more attempts once it has aborted.
   */
  async claim(claim: Claim, ttl: number, wait: number, signal: AbortSignal): Promise<Grant | Loss> {
    let begin = performance.now();
    let waited = 0;
    let asked = claim;
    let hasSplit = false;
    let wasSilent = false;
    for (let attempt = 0; ; attempt++) {
      const isInTurn = hasSplit && attempt % ALL_AT_ONCE !== 0;
      const began = performance.now();
      const answer = await this.store.vote(asked, ttl, attempt, isInTurn);
      if (!('verdict' in answer)) return answer;
      const { verdict, causes } = answer;
      wasSilent ||= performance.now() - began >= this.nodeTimeout;
      const delay = this.delay(claim, verdict, attempt, performance.now() - begin, wait, waited, wasSilent);
      if (delay === undefined) return { ...lossOf(verdict), causes };
      // The time until a tick is due is no time spent on it.
      if (verdict.is === 'early') {
        begin += delay;
        waited += delay;
      }
      // Only the first attempt is spared the way to all nodes.
      asked = { ...claim, late: undefined };
      hasSplit ||= verdict.is === 'split';
      await pause(delay, undefined, { signal }).catch(() => {});
      if (signal.aborted) return { ...lossOf(verdict), causes };
    }
  }

  /** How long to wait before another attempt, in milliseconds; `undefined` when there should be none. */
  private delay(
    { tick }: Claim,
    verdict: Verdict,
    attempt: number,
    elapsed: number,
    wait: number,
    waited: number,
    wasSilent: boolean,
  ): number | undefined {
    switch (verdict.is) {
      case 'early':
        return waited < EARLY.patience ? Math.min(verdict.wait, EARLY.pause) : undefined;
      case 'turned away':
        return isUnderstudy(verdict.lost) ? UNDERSTUDY_PAUSE * (1 + Math.random()) : undefined;
      case 'split':
        if (elapsed >= Math.max(wait, 10 * this.nodeTimeout)) return undefined;
        return Math.min(SPLIT_PAUSE.first * 2 ** attempt, SPLIT_PAUSE.most) * Math.random();
      case 'lost':
        if (elapsed < wait) return Math.min(WAIT_PAUSE * (0.5 + Math.random()), wait - elapsed);
        // An instance whose clock lags may run an old tick at the very moment of this one.
        if (tick && verdict.reason === 'overlap' && isUnderstudy(verdict) && elapsed < OVERLAP_PATIENCE)
          return OVERLAP_PAUSE * (0.5 + Math.random());
        if (verdict.reason !== 'store-down') return undefined;
        // A connection that was just cut is back in a moment. A silent one is replaced, which takes longer: the network may
        // have dropped it while it was idle, although the server is well.
        return elapsed < (wasSilent ? 2 * this.nodeTimeout : this.nodeTimeout / 2) ? DOWN_PAUSE : undefined;
    }
  }
}

/** Whether to come again falls to this one; where nobody counts, it falls to all. */
function isUnderstudy({ rank = 0 }: Lost): boolean {
  return rank <= UNDERSTUDIES;
}

function lossOf(verdict: Verdict): Omit<Lost, 'is'> {
  if (verdict.is === 'lost') return verdict;
  if (verdict.is === 'early') return { reason: 'early' };
  return verdict.is === 'turned away' ? verdict.lost : { reason: 'elsewhere' };
}
