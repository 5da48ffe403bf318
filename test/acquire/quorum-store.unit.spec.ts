import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createStore } from '../../src/acquire/create-store.js';
import type { Grant, VoteResult } from '../../src/acquire/outcome.js';
import { sleep } from '../../src/clock.js';
import { NodeUnreachableError } from '../../src/errors.js';
import type { Claim, LockNode, Vote } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { type Store, TakenError } from '../../src/acquire/store.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { claimOf, deadNode, newName, timed } from '../nodes/support.js';

const TTL = 30_000;

let clock: ManualClock;
beforeEach(() => void (clock = new ManualClock()));

const memory = (): MemoryNode => new MemoryNode(clock.now);
const storeOf = (nodes: readonly LockNode[]): Store => createStore(nodes, clock);

/** A node that receives claims `before` milliseconds late, and whose answers take `after` milliseconds. */
class SlowNode extends MemoryNode {
  isDeaf = false;

  constructor(
    public before: number,
    private readonly after = 0,
  ) {
    super(clock.now);
  }

  override async claim(...args: Parameters<MemoryNode['claim']>): Promise<Vote> {
    if (this.before > 0) await sleep(clock, this.before);
    const vote = await super.claim(...args);
    if (this.after > 0) await sleep(clock, this.after);
    if (this.isDeaf) throw new Error('the reply got lost');
    return vote;
  }
}

function deafNode(after = 0): SlowNode {
  const node = new SlowNode(0, after);
  node.isDeaf = true;
  return node;
}

/** Answers so late that no claim should wait for it. */
const hungNode = (): SlowNode => new SlowNode(400);

/** Whether another claim can have the lock. */
function isFree(node: MemoryNode, claim: Claim): Promise<boolean> {
  return MemoryNode.prototype.extend.call(node, { lock: claim.lock }, 'the next', TTL);
}

describe('a node whose answer to the claim is outstanding when the lock is released', () => {
  it('frees the lock at once', async () => {
    const slow = new SlowNode(0, 300);
    const claim = claimOf(newName());
    const grant = granted(await storeOf([memory(), memory(), slow]).vote(claim, TTL));
    await grant.release();
    expect(clock.elapsed()).toBe(0);
    expect(await isFree(slow, claim)).toBe(true);
  });

  it('is told again if the release came before the claim', async () => {
    const slow = new SlowNode(100);
    const claim = claimOf(newName());
    const grant = granted(await storeOf([memory(), memory(), slow]).vote(claim, TTL));
    await grant.release();
    await clock.advance(100);
    expect(await isFree(slow, claim)).toBe(true);
  });

  it('is told to free what it granted if its answer was lost before the vote was decided', async () => {
    const deaf = deafNode();
    const claim = claimOf(newName());
    const others = [memory(), memory()];
    for (const node of others) await node.claim(claim, 'somebody', TTL);
    const answer = await storeOf([deaf, ...others]).vote(claim, TTL);
    expect(answer).toMatchObject({ kind: 'denied', reason: 'overlap' });
    await clock.advance(0);
    expect(await isFree(deaf, claim)).toBe(true);
  });

  it('is told to free what it granted if its answer was lost after that', async () => {
    const deaf = deafNode(100);
    const claim = claimOf(newName());
    const others = [memory(), memory()];
    for (const node of others) await node.claim(claim, 'somebody', TTL);
    const answer = await storeOf([...others, deaf]).vote(claim, TTL);
    expect(answer).toMatchObject({ kind: 'denied', reason: 'overlap' });
    await clock.advance(100);
    expect(await isFree(deaf, claim)).toBe(true);
  });

  it('is told again if the run was settled before the claim came', async () => {
    const slow = new SlowNode(100);
    const claim = { ...claimOf(newName()), every: { key: newName(), keep: TTL } };
    const grant = granted(await storeOf([memory(), memory(), slow]).vote(claim, TTL));
    await grant.settle();
    await clock.advance(100);
    expect(await isFree(slow, claim)).toBe(true);
    const elsewhere = { ...claim, lock: newName() };
    expect(await MemoryNode.prototype.claim.call(slow, elsewhere, 'b', TTL)).toMatchObject({ kind: 'ran' });
  });
});

describe('a node to which a claim was never sent', () => {
  class UnsentNode extends MemoryNode {
    override claim(): Promise<never> {
      return Promise.reject(new NodeUnreachableError(this.address, 'not connected', 'unsent'));
    }
  }

  it('is not told to release it', async () => {
    const nodes = [memory(), new UnsentNode(clock.now), new UnsentNode(clock.now)];
    const releases = nodes.map((node) => vi.spyOn(node, 'release'));
    expect(await storeOf(nodes).vote(claimOf(newName()), TTL)).toMatchObject({ reason: 'store-down' });
    await clock.advance(0);
    expect(releases.map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0]);
  });

  it('is told to settle it if the others have granted it', async () => {
    const unsent = new UnsentNode(clock.now);
    const settle = vi.spyOn(unsent, 'settle');
    await granted(await storeOf([memory(), memory(), unsent]).vote(claimOf(newName()), TTL)).settle();
    expect(settle).toHaveBeenCalledOnce();
  });
});

describe('a contested vote', () => {
  it('is given up 50 ms after a majority has answered, and all late grants are released', async () => {
    const claim = claimOf(newName());
    const healthy = [memory(), memory(), memory()];
    const hung = [hungNode(), hungNode()];
    await healthy[2]!.claim(claim, 'another contender', TTL);
    const { answer, took } = await timed(storeOf([...healthy, ...hung]).vote(claim, TTL), clock);
    expect(answer).toMatchObject({ kind: 'split' });
    expect(took).toBe(50);
    await clock.advance(350);
    for (const node of [...healthy.slice(0, 2), ...hung]) expect(await isFree(node, claim)).toBe(true);
  });

  it.each([
    [1, 100],
    [2, 200],
  ])('waits longer with each contested attempt: after %i, %i ms', async (contested, grace) => {
    const claim = claimOf(newName());
    const nodes = [memory(), memory(), memory(), hungNode(), hungNode()];
    await nodes[2]!.claim(claim, 'another contender', TTL);
    expect((await timed(storeOf(nodes).vote(claim, TTL, contested), clock)).took).toBe(grace);
  });

  it('does not wait for nodes that failed the last time', async () => {
    const failing = hungNode();
    vi.spyOn(failing, 'claim').mockRejectedValueOnce(new Error('no answer'));
    const nodes = [memory(), memory(), memory(), failing, memory()];
    const store = storeOf(nodes);
    granted(await store.vote(claimOf(newName()), TTL));
    await clock.advance(0);
    const claim = claimOf(newName());
    await nodes[0]?.claim(claim, 'one', TTL);
    await nodes[1]?.claim(claim, 'another', TTL);
    const { answer, took } = await timed(store.vote(claim, TTL), clock);
    expect(answer).toMatchObject({ kind: 'split' });
    expect(took).toBe(0);
  });

  it('does not wait for nodes that are known to be slow, until four attempts were contested', async () => {
    const nodes = [memory(), memory(), memory(), memory(), hungNode()];
    const store = storeOf(nodes);
    granted(await store.vote(claimOf(newName()), TTL));
    await clock.advance(500);
    const claim = claimOf(newName());
    await nodes[0]?.claim(claim, 'one', TTL);
    await nodes[1]?.claim(claim, 'another', TTL);
    const { answer, took } = await timed(store.vote(claim, TTL, 3), clock);
    expect(answer).toMatchObject({ kind: 'split' });
    expect(took).toBe(0);
    await clock.advance(500);
    expect(await clock.until(store.vote(claim, TTL, 4))).toHaveProperty('validUntil');
  });

  it('waits for a majority to answer', async () => {
    const claim = claimOf(newName());
    const nodes = [memory(), memory(), hungNode(), hungNode(), hungNode()];
    await nodes[0]!.claim(claim, 'another contender', TTL);
    const { answer, took } = await timed(storeOf(nodes).vote(claim, TTL), clock);
    expect(took).toBe(400);
    await granted(answer).release();
  });
});

describe('the lead node', () => {
  it.each([
    [0, 200],
    [1, 400],
    [4, 3200],
    [5, 3200],
  ])('is waited for longer with each contested attempt: after %i, %i ms', async (contested, wait) => {
    const nodes = [new SlowNode(5000), memory(), memory()];
    const vote = storeOf(nodes).vote(claimOf(newName()), TTL, contested, true);
    const { answer, took } = await timed(vote, clock);
    expect(took).toBe(wait);
    await granted(answer).release();
  });

  it('is waited for for twice its latency if it is far away', async () => {
    const lead = new SlowNode(150);
    const store = storeOf([lead, new SlowNode(150), new SlowNode(150)]);
    await granted(await clock.until(store.vote(claimOf(newName()), TTL))).release();
    lead.before = 5000;
    expect((await timed(store.vote(claimOf(newName()), TTL, 0, true), clock)).took).toBe(2 * 150 + 150);
  });
});

describe('an extension on several nodes', () => {
  /** A node whose answers to extensions take `delay` milliseconds. */
  class SlowToExtend extends MemoryNode {
    isLost = false;

    constructor(private readonly delay: number) {
      super(clock.now);
    }

    override async extend(...args: Parameters<MemoryNode['extend']>): Promise<boolean> {
      const isHeld = !this.isLost && (await super.extend(...args));
      if (this.delay > 0) await sleep(clock, this.delay);
      return isHeld;
    }
  }

  it.each([
    ['two nodes', 2, 0],
    ['three nodes, one of which is dead', 2, 1],
    ['five nodes', 5, 0],
    ['five nodes, two of which are dead', 3, 2],
  ])(
    'says that the lock is taken if a majority says so, whoever answers first: %s',
    async (_which, up, dead) => {
      const alive = Array.from({ length: up }, (_, index) => new SlowToExtend(10 * index));
      const claim = claimOf(newName());
      const nodes = [...alive, ...Array.from({ length: dead }, deadNode)];
      const grant = granted(await clock.until(storeOf(nodes).vote(claim, TTL)));
      for (const node of alive) node.isLost = true;
      await expect(clock.until(grant.extend(TTL))).rejects.toBeInstanceOf(TakenError);
    },
  );

  it.each([
    ['a majority says that the lock is taken', true],
    ['a majority has failed', false],
  ])('does not wait for a hung node once it is certain that %s', async (_what, isTaken) => {
    const alive = [new SlowToExtend(0), new SlowToExtend(0)];
    const grant = granted(await storeOf([...alive, new SlowToExtend(5000)]).vote(claimOf(newName()), TTL));
    for (const node of alive) {
      node.isLost = true;
      if (!isTaken) vi.spyOn(node, 'extend').mockRejectedValue(new Error('is down'));
    }
    const failure = grant.extend(TTL).then(
      () => undefined,
      (error: unknown) => error,
    );
    const { answer, took } = await timed(failure, clock);
    expect(answer instanceof TakenError).toBe(isTaken);
    expect(took).toBe(0);
  });

  it('that takes the lock on a node that had denied it is undone if its answer is lost', async () => {
    const deaf = memory();
    const claim = { lock: newName() };
    await deaf.claim(claim, 'a run that has died', TTL);
    const grant = granted(await storeOf([memory(), memory(), deaf]).vote(claim, TTL));
    await deaf.release(claim, 'a run that has died');
    vi.spyOn(deaf, 'extend').mockImplementation(async (...args) => {
      await MemoryNode.prototype.extend.apply(deaf, args);
      await sleep(clock, 100);
      throw new Error('the answer got lost');
    });
    await grant.extend(TTL);
    await grant.release();
    await clock.advance(100);
    expect(await isFree(deaf, claim)).toBe(true);
  });

  it('that takes the lock on a node that had denied it is undone if its answer comes after the release', async () => {
    const late = new SlowToExtend(100);
    const claim = { lock: newName() };
    await late.claim(claim, 'a run that has died', TTL);
    const grant = granted(await clock.until(storeOf([memory(), memory(), late]).vote(claim, TTL)));
    await late.release(claim, 'a run that has died');
    await grant.extend(TTL);
    await grant.release();
    await clock.advance(100);
    expect(await isFree(late, claim)).toBe(true);
  });
});

describe('a lease on several nodes', () => {
  it('counts from the moment of the request, less the drift of clocks', async () => {
    const nodes = [new SlowNode(0, 500), new SlowNode(0, 500), new SlowNode(0, 500)];
    const { answer, took } = await timed(storeOf(nodes).vote(claimOf(newName()), TTL), clock);
    expect(took).toBe(500);
    const grant = granted(answer);
    expect(grant.validUntil).toBe(TTL * 0.99 - 2);
    expect(await grant.extend(TTL)).toBe(500 + TTL * 0.99 - 2);
  });

  it('that had ended before the answers came is released', async () => {
    const nodes = [new SlowNode(400), new SlowNode(400), new SlowNode(400)];
    const claim = claimOf(newName());
    const answer = await clock.until(storeOf(nodes).vote(claim, 300));
    expect(answer).toMatchObject({ kind: 'split' });
    for (const node of nodes) expect(await isFree(node, claim)).toBe(true);
  });
});

/** Every way in which up to five nodes can be free, held by somebody else, or dead, and what comes of it. */
const ELECTIONS = [1, 2, 3, 4, 5].flatMap((count) =>
  Array.from({ length: count + 1 }, (_, free) => free).flatMap((free) =>
    Array.from({ length: count - free + 1 }, (_, held) => {
      const election = [free, held, count - free - held, outcomeOf(free, held, count)] as const;
      return election;
    }),
  ),
);

it.each(ELECTIONS)(
  'a vote of %i free, %i held and %i dead nodes is: %s',
  async (free, held, dead, outcome) => {
    const claim = claimOf(newName());
    const nodes: LockNode[] = Array.from({ length: free + held }, () => memory());
    for (const node of nodes.slice(free)) await node.claim(claim, 'somebody', TTL);
    for (let index = 0; index < dead; index++) nodes.push(deadNode());

    const answer = await storeOf(nodes).vote(claim, TTL);
    expect(nameOf(answer)).toBe(outcome);
    if (answer.kind === 'granted') await answer.release();
    // Whoever won, what is released is free.
    await clock.advance(0);
    for (const node of nodes.slice(0, free)) {
      expect(await node.claim(claim, 'next', TTL)).toEqual({ kind: 'granted' });
    }
  },
);

it('a tick that a majority has settled is settled', async () => {
  const nodes = [memory(), memory(), memory()];
  const claim = claimOf(newName(), clock.now());
  await Promise.all(nodes.slice(1).map((node) => node.settle(claim, 'somebody')));
  const answer = await storeOf(nodes).vote(claim, TTL);
  expect(answer).toMatchObject({ kind: 'denied', reason: 'settled' });
});

it('two nodes of which one is dead have no quorum', async () => {
  const answer = await storeOf([memory(), deadNode()]).vote(claimOf(newName()), TTL);
  expect(answer).toMatchObject({ kind: 'denied', reason: 'store-down' });
});

describe('a custom node that breaks its contract', () => {
  const ways: [string, () => Promise<never>][] = [
    ['rejects with a value that is not an Error', () => Promise.reject('a text')],
    [
      'throws',
      () => {
        throw new Error('at once');
      },
    ],
    [
      'throws a value that is not an Error',
      () => {
        throw 'a text';
      },
    ],
    ['answers undefined', () => Promise.resolve(undefined as never)],
  ];

  it.each(ways)('and %s counts as a node that failed', async (_how, way) => {
    const odd: LockNode = { ...deadNode(), claim: way, extend: way, settle: way, release: way };
    const claim = { ...claimOf(newName(), clock.now()), loserCounter: { key: newName(), keep: 1000 } };
    expect(await storeOf([memory(), odd, odd]).vote(claim, TTL)).toMatchObject({
      kind: 'denied',
      reason: 'store-down',
    });
    expect(await storeOf([odd]).vote(claim, TTL)).toMatchObject({
      kind: 'denied',
      reason: 'store-down',
      causes: [expect.any(Error)],
    });
    const grant = granted(await storeOf([memory(), odd, memory()]).vote(claim, TTL));
    expect(await grant.extend(TTL)).toBeGreaterThan(clock.elapsed());
    await grant.settle();
  });
});

it('only the lead node counts the losers', async () => {
  const nodes = [memory(), memory(), memory()];
  const claims = nodes.map((node) => vi.spyOn(node, 'claim'));
  const claim = { ...claimOf(newName(), clock.now()), loserCounter: { key: newName(), keep: 1000 } };
  granted(await storeOf(nodes).vote(claim, TTL));
  expect(claims.map(({ mock }) => mock.calls.map(([asked]) => asked.loserCounter !== undefined))).toEqual([
    [true],
    [false],
    [false],
  ]);
});

it('a majority does not wait for a node that never answers', async () => {
  const silent = memory();
  vi.spyOn(silent, 'claim').mockImplementation(() => new Promise<Vote>(() => {}));
  const nodes = [silent, memory(), memory()];
  expect(await storeOf(nodes).vote(claimOf(newName()), TTL)).toHaveProperty('validUntil');
});

/** What a majority of the nodes makes of a vote. */
function outcomeOf(free: number, held: number, count: number): string {
  const majority = Math.floor(count / 2) + 1;
  if (free >= majority) return 'granted';
  if (held >= majority) return 'overlap';
  return free + held < majority ? 'store-down' : 'split';
}

function nameOf(result: VoteResult): string {
  return result.kind === 'denied' ? result.reason : result.kind;
}

function granted(answer: VoteResult): Grant {
  if (answer.kind !== 'granted') throw new Error(`Denied: ${JSON.stringify(answer)}`);
  return answer;
}
