import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { Denial, Grant } from '../../src/acquire/outcome.js';
import { tokensOf } from '../../src/acquire/token.js';
import { sleep } from '../../src/clock.js';
import type { Claim, Vote } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { Random } from '../chaos/random.js';
import { claimOf, newName } from '../nodes/support.js';

const NODE_TIMEOUT = 500;
const TTL = 10_000;
const INSTANCES = 4;
/** How far away a node is that never answers. */
const HUNG = Number.POSITIVE_INFINITY;

let clock: ManualClock;
let random: Random;
beforeEach(() => {
  clock = new ManualClock();
  random = new Random(8);
  vi.spyOn(Math, 'random').mockImplementation(() => random.between(0, 999) / 1000);
});
afterEach(() => void vi.restoreAllMocks());

/** A node as one instance sees it: `away` milliseconds away or a little more, in each direction, or hung. */
class RemoteNode extends MemoryNode {
  private arrivesAt = 0;
  private answersAt = 0;

  constructor(
    private readonly node: MemoryNode,
    public away: number,
  ) {
    super(clock.now);
  }

  override claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
    return this.ask(() => this.node.claim(...args));
  }

  override release(...args: Parameters<MemoryNode['release']>): Promise<boolean> {
    return this.ask(() => this.node.release(...args));
  }

  override settle(...args: Parameters<MemoryNode['settle']>): Promise<boolean> {
    return this.ask(() => this.node.settle(...args));
  }

  private ask<T>(what: () => Promise<T>): Promise<T> {
    return Promise.race([this.carriedOut(what), late()]);
  }

  /** As over a connection: no command and no answer overtakes an earlier one. */
  private async carriedOut<T>(what: () => Promise<T>): Promise<T> {
    if (this.away === HUNG) return new Promise<T>(() => {});
    this.arrivesAt = Math.max(this.arrivesAt, clock.elapsed() + this.way());
    await sleep(clock, this.arrivesAt - clock.elapsed());
    const answer = await what();
    this.answersAt = Math.max(this.answersAt, clock.elapsed() + this.way());
    await sleep(clock, this.answersAt - clock.elapsed());
    return answer;
  }

  private way(): number {
    return this.away * (1 + random.between(0, 50) / 100);
  }
}

async function late(): Promise<never> {
  await sleep(clock, NODE_TIMEOUT);
  throw new Error('late');
}

/** A fleet and its nodes. */
class Fleet {
  private readonly name = newName();
  private readonly remotes: readonly (readonly RemoteNode[])[];
  private readonly instances: readonly Acquirer[];

  /** @param away How far each node is away. */
  constructor(away: readonly number[]) {
    const nodes = away.map(() => new MemoryNode(clock.now));
    this.remotes = Array.from({ length: INSTANCES }, () =>
      nodes.map((node, index) => new RemoteNode(node, away[index]!)),
    );
    this.instances = this.remotes.map(
      (remotes, index) =>
        new Acquirer(createStore(remotes, clock, tokensOf(`instance ${index}`)), NODE_TIMEOUT, clock),
    );
  }

  /** Each instance learns how far away the nodes are. */
  async learn(): Promise<void> {
    const learnt = this.instances.map(async (each, index) => {
      const claim = { lock: `${this.name}:${index}` };
      await ((await each.acquire(claim, TTL, 0, new AbortController().signal)) as Grant).release();
    });
    await clock.until(Promise.all(learnt));
  }

  /** The nodes are this far away from now on. */
  move(away: readonly number[]): void {
    for (const remotes of this.remotes) remotes.forEach((each, index) => (each.away = away[index]!));
  }

  async acquire(index: number, at: number): Promise<Grant | Denial> {
    return this.instances[index]!.acquire(claimAt(this.name, at), TTL, 0, new AbortController().signal);
  }

  /** All instances claim the tick within `spread` milliseconds. Resolves to when one of them has won it. */
  async contend(at: number, spread: number): Promise<number> {
    let wonAt = Number.POSITIVE_INFINITY;
    const claims = this.instances.map(async (_, index) => {
      await sleep(clock, random.between(0, spread));
      const answer = await this.acquire(index, at);
      if (answer.kind === 'granted') wonAt = clock.elapsed();
    });
    await Promise.all(claims);
    return wonAt;
  }
}

function claimAt(name: string, at: number): Claim {
  return { ...claimOf(name, at), loserCounter: { key: `${name}:losers:${at}`, keep: TTL } };
}

/** The longest of 50 contests, in milliseconds. */
async function longestOf(contest: () => Promise<number>): Promise<number> {
  const durations: number[] = [];
  for (let round = 0; round < 50; round++) durations.push(await contest());
  return Math.max(...durations);
}

describe('a tick for which several instances wait until an earlier run ends', () => {
  // The worst took 449 and 526 ms when waiting for the run counted as contention.
  it.each([
    ['of which two are slow', [10, 10, 150, 10, 150], 300],
    ['that are all far away', [60, 60, 60, 60, 60], 500],
  ])('is soon won, on nodes %s', async (_which, away, limit) => {
    const longest = await longestOf(async () => {
      const fleet = new Fleet(away);
      await fleet.learn();
      const due = clock.now();
      const earlier = (await clock.until(fleet.acquire(0, due - 1000))) as Grant;
      const won = fleet.contend(due, 200);
      await clock.advance(300);
      const endedAt = clock.elapsed();
      void earlier.settle().catch(() => {});
      return (await clock.until(won)) - endedAt;
    });
    expect(longest).toBeLessThan(limit);
  });
});

describe('a tick that several instances claim just after the nodes have become slow', () => {
  // The worst took 2.3 s when the lead node always had 100 ms.
  it.each([
    ['of which two are slower', [60, 200, 60, 60, 200]],
    ['of which one hangs', [60, HUNG, 60]],
  ])('is soon won, on nodes %s', async (_which, away) => {
    const longest = await longestOf(async () => {
      const fleet = new Fleet(away.map(() => 1));
      await fleet.learn();
      fleet.move(away);
      const claimedAt = clock.elapsed();
      return (await clock.until(fleet.contend(clock.now(), 20))) - claimedAt;
    });
    expect(longest).toBeLessThan(400);
  });
});
