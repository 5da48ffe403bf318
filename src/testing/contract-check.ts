import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobKeyNames, Register } from '../nodes/job-view.js';
import type { Claim, LockNode, Vote } from '../nodes/lock-node.js';

/** The node to check. */
export interface ContractSubject {
  /** Each check opens it first, and none closes it. */
  readonly node: LockNode;
  /** Lets this many milliseconds pass for the node. Default: waits. A store whose clock can be moved need not wait. */
  readonly pass?: ((milliseconds: number) => Promise<void>) | undefined;
}

/** One clause of the contract. */
export interface ContractCheck {
  /** What a node must do, for the name of the test. */
  readonly clause: string;
  /** Rejects with an `AssertionError` if the node breaks the clause, or with what the node rejects with. */
  readonly check: (subject: ContractSubject) => Promise<void>;
}

/** A lease that outlasts every check, in milliseconds. */
export const LONG = 60_000;
/** A lease that ends in the middle of a check, in milliseconds. */
export const SHORT = 300;
/** After this time, in milliseconds, anything with a lifetime of `SHORT` has expired. */
export const PAST_SHORT = SHORT + 100;
/** How much of a duration may have passed by the time it is checked, in milliseconds: test machines can be busy. */
const SLACK = 10_000;

type Pass = (milliseconds: number) => Promise<void>;

/** One job on the node, and its claims. */
export class Job {
  private readonly name = randomUUID();

  constructor(
    readonly node: LockNode,
    /** The node's time when the check began: ticks up to it are due. */
    private readonly now: number,
  ) {}

  another(): Job {
    return new Job(this.node, this.now);
  }

  /** A claim of the lock alone. */
  plain(): Claim {
    return { lock: `JOB_LOCKER_${this.name}` };
  }

  /** A claim of the tick at `at`, in milliseconds relative to the node's time. */
  tick(at: number, { recover = false, keep = LONG, last = 'last' } = {}): Claim {
    const moment = this.now + at;
    return {
      ...this.plain(),
      tick: {
        key: this.key(`tick:${moment}`),
        last: this.key(last),
        at: moment,
        keep,
        recover,
      },
    };
  }

  /** A claim of the tick at `at` whose run is put on record. */
  recorded(at: number, { limit = 3, keep = LONG } = {}): Claim {
    return {
      ...this.tick(at),
      history: { begun: this.key('begun'), records: this.key('runs'), limit, keep },
    };
  }

  /** A claim of the tick at `at` that is refused while the job is paused. */
  pausable(at: number): Claim {
    return { ...this.tick(at), pause: this.names.pause };
  }

  /** The keys that tell what is known about the job. */
  get names(): JobKeyNames {
    const { lock } = this.plain();
    return {
      lock,
      last: this.key('last'),
      begun: this.key('begun'),
      records: this.key('runs'),
      pause: this.key('pause'),
    };
  }

  /** A register of its own. */
  get register(): Register {
    return { ends: this.key('fleet:ends'), entries: this.key('fleet') };
  }

  /** The time `milliseconds` after the node's time when the check began. */
  moment(milliseconds: number): number {
    return this.now + milliseconds;
  }

  every(keep = LONG): Claim {
    return { ...this.plain(), every: { key: this.key('every'), keep } };
  }

  /** A claim of a lock, a tick and an interval. */
  all(): Claim {
    return { ...this.tick(0), ...this.every() };
  }

  /** A claim that asks for its rank among the losers. */
  ranked(claim: Claim, keep = LONG): Claim {
    return { ...claim, loserCounter: { key: this.key('late'), keep } };
  }

  /** The claim with another lock of the same job, as for runs that may overlap. */
  beside(claim: Claim): Claim {
    return { ...claim, lock: this.key('run:1') };
  }

  private key(kind: string): string {
    return `{JOB_LOCKER_${this.name}}:${kind}`;
  }
}

/** A check of one clause, on a job of its own. */
export function check(clause: string, body: (job: Job, pass: Pass) => Promise<void>): ContractCheck {
  return {
    clause,
    check: async ({ node, pass = (milliseconds) => sleep(milliseconds) }) => {
      const { clockOffset = 0 } = await node.open();
      await body(new Job(node, Date.now() + Math.floor(clockOffset)), pass);
    },
  };
}

/** The claim as a takeover. */
export function takeoverOf(claim: Claim): Claim {
  return { ...claim, tick: claim.tick && { ...claim.tick, isTakeover: true } };
}

/** A takeover of a tick that was begun, as another node has said. */
export function begunElsewhere(claim: Claim): Claim {
  const takeover = takeoverOf(claim);
  return { ...takeover, tick: takeover.tick && { ...takeover.tick, isBegunElsewhere: true } };
}

export async function granted(node: LockNode, claim: Claim, token: string, ttl = LONG): Promise<void> {
  assert.equal((await node.claim(claim, token, ttl)).kind, 'granted');
}

export async function votes(
  node: LockNode,
  claim: Claim,
  token: string,
  expected: Vote['kind'],
): Promise<Vote> {
  const vote = await node.claim(claim, token, LONG);
  assert.equal(vote.kind, expected);
  return vote;
}

/** Asserts that the node denies the claim and names the holder. */
export async function refused(
  node: LockNode,
  claim: Claim,
  token: string,
  expected: Vote['kind'],
  holder: string,
): Promise<Vote> {
  const vote = await votes(node, claim, token, expected);
  assert.equal('holder' in vote ? vote.holder : undefined, holder);
  return vote;
}

/** Asserts that the node denies the claim with this rank. */
export async function ranked(
  node: LockNode,
  claim: Claim,
  token: string,
  rank: number | undefined,
): Promise<void> {
  const vote = await node.claim(claim, token, LONG);
  assert.equal('rank' in vote ? vote.rank : undefined, rank);
}

export async function held(answer: Promise<boolean>): Promise<void> {
  assert.equal(await answer, true);
}

export async function notHeld(answer: Promise<boolean>): Promise<void> {
  assert.equal(await answer, false);
}

export function leaseOf(vote: Vote): number | undefined {
  return 'lease' in vote ? vote.lease : undefined;
}

/** Asserts that `actual` is at most 50 ms above `expected`, and less than `SLACK` below it. */
export function about(actual: number | undefined, expected: number): void {
  assert.ok(
    actual !== undefined && actual > expected - SLACK && actual <= expected + 50,
    `${actual} should be at most ${expected + 50}, and more than ${expected - SLACK}`,
  );
}

/** Repeats an attempt that failed and took longer than `limit` milliseconds, because that proves nothing. */
export async function unhurried(limit: number, attempt: () => Promise<void>): Promise<void> {
  for (let chances = 5; ; chances--) {
    const begin = performance.now();
    try {
      await attempt();
      return;
    } catch (error) {
      if (chances === 0 || performance.now() - begin < limit) throw error;
    }
  }
}
