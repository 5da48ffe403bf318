import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Claim,
  EARLY_CLAIM_TOLERANCE,
  LAST_TICK_RETENTION,
  type LockNode,
  TAKEOVER_WINDOW,
  type Vote,
} from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';
import { LOCK_NODE_CONTRACT } from '../../src/testing/index.js';
import { RedisServer } from '../engine/redis-server.js';
import { BROKEN_KNOWLEDGE } from './broken-knowledge.js';
import { nodeAt, nodeOf } from './support.js';

describe('a MemoryNode keeps the contract:', () => {
  keepsTheContract(() => new MemoryNode());
});

describe('a RedisNode keeps the contract', () => {
  let server: RedisServer;
  let client: Redis;
  const nodes: LockNode[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    client = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    client.disconnect();
    await server.stop();
  });

  describe('with a connection of its own:', () => {
    keepsTheContract(() => opened(nodeAt(server)));
  });

  describe('over a client of the application:', () => {
    keepsTheContract(() => opened(nodeOf(client)));
  });

  function opened(node: LockNode): LockNode {
    nodes.push(node);
    return node;
  }
});

function keepsTheContract(create: () => LockNode): void {
  const outcomes = new Map<string, Promise<unknown>>();

  // All at the same time, as most of it is waiting for keys to end.
  beforeAll(async () => {
    const node = create();
    await node.open();
    for (const { clause, check } of LOCK_NODE_CONTRACT) {
      outcomes.set(
        clause,
        check({ node }).then(() => 'kept', String),
      );
    }
  });
  it.each(LOCK_NODE_CONTRACT.map(({ clause }) => clause))('%s', async (clause) => {
    expect(await outcomes.get(clause)).toBe('kept');
  });
}

/** A store whose clock is moved by hand, and what a test of the contract needs to be told of it. */
class Clock {
  private time = Date.now();
  readonly now = (): number => this.time;
  readonly pass = async (milliseconds: number): Promise<void> => void (this.time += milliseconds);
}

/** A store that can be asked who holds what, for those that break a clause. */
class OpenNode extends MemoryNode {
  async holderOf(lock: string): Promise<string | undefined> {
    const vote = await super.claim({ lock }, 'probe', 1);
    if (vote.kind === 'granted') await super.release({ lock }, 'probe');
    return 'holder' in vote ? vote.holder : undefined;
  }
}

/** Each of these stores breaks one clause, by the check that must find it. */
const BROKEN: Record<string, new (clock: () => number) => MemoryNode> = {
  'grants what is free': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      if (!claim.tick && claim.every) return Promise.resolve<Vote>({ kind: 'overlap', holder: 'nobody' });
      return super.claim(claim, token, ttl);
    }
  },
  'grants only one of many claims that arrive at once': class extends MemoryNode {
    private readonly taken = new Set<string>();
    override async claim(claim: Claim, token: string, ttl: number) {
      if (this.taken.has(claim.lock)) return super.claim(claim, token, ttl);
      await new Promise(setImmediate);
      this.taken.add(claim.lock);
      await super.claim(claim, token, ttl);
      return { kind: 'granted' as const };
    }
  },
  'does not let one job block another': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      return super.claim({ ...claim, lock: 'the lock' }, token, ttl);
    }
  },
  'writes nothing for a claim that it refuses because of the lock': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      if (vote.kind === 'overlap') await super.claim({ ...claim, lock: `${claim.lock}:aside` }, token, ttl);
      return vote;
    }
  },
  'writes nothing for a claim that it refuses because of the tick': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      if (vote.kind === 'elsewhere') await super.claim({ lock: claim.lock }, token, ttl);
      return vote;
    }
  },
  'writes nothing for a claim that it refuses because of the interval': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      if (vote.kind === 'ran') await super.claim({ ...claim, every: undefined }, token, ttl);
      return vote;
    }
  },
  'says "elsewhere" while the same tick is being run': renaming('elsewhere', 'overlap'),
  'says "overlap" while another tick or a plain call is being run': renaming('overlap', 'elsewhere'),
  'says "elsewhere" while the interval is being run, and "ran" after that': renaming('ran', 'elsewhere'),
  'counts the losers among the claims that ask for a rank': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return 'rank' in vote && vote.rank ? { ...vote, rank: 1 } : vote;
    }
  },
  'grants a claim that arrives again with the same token': class extends MemoryNode {
    private readonly seen = new Set<string>();
    override claim(claim: Claim, token: string, ttl: number) {
      const once = `${claim.lock} ${claim.tick?.at} ${token}`;
      if (this.seen.has(once)) return Promise.resolve<Vote>({ kind: 'overlap', holder: token });
      this.seen.add(once);
      return super.claim(claim, token, ttl);
    }
  },
  'lets a lock expire by itself': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      return super.claim(claim, token, ttl * 1000);
    }
  },
  'keeps a lock for as long as it was asked to': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      return super.claim(claim, token, Math.min(ttl, 1000));
    }
  },
  'keeps the marker of a tick for longer than its lock': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      const tick = claim.tick && { ...claim.tick, keep: claim.tick.recover ? claim.tick.keep : ttl };
      return super.claim({ ...claim, tick }, token, ttl);
    }
  },
  'lets the marker of a tick expire by itself': keeping(({ tick, ...rest }) => ({
    ...rest,
    tick: tick && { ...tick, keep: tick.keep + LAST_TICK_RETENTION },
  })),
  'lets the marker of an interval expire by itself': keeping(({ every, ...rest }) => ({
    ...rest,
    every: every && { ...every, keep: every.keep + LAST_TICK_RETENTION },
  })),
  'extends for the holder, counted from now': class extends OpenNode {
    override async extend(claim: Claim, token: string, ttl: number) {
      const holder = await this.holderOf(claim.lock);
      return holder === token || super.extend(claim, token, ttl);
    }
  },
  'extends only for the holder': class extends OpenNode {
    override async extend(claim: Claim, token: string, ttl: number) {
      await super.extend(claim, token, ttl);
      return true;
    }
  },
  'frees the lock at a settle only for the holder': class extends OpenNode {
    override async settle(claim: Claim, token: string) {
      return super.settle(claim, (await this.holderOf(claim.lock)) ?? token);
    }
  },
  'releases only for the holder': class extends OpenNode {
    override async release(claim: Claim, token: string) {
      return super.release(claim, (await this.holderOf(claim.lock)) ?? token);
    }
  },
  'writes a missing lock again at an extension': class extends OpenNode {
    override async extend(claim: Claim, token: string, ttl: number) {
      return (await this.holderOf(claim.lock)) === token && super.extend(claim, token, ttl);
    }
  },
  'takes no lock from a successor at an extension': class extends OpenNode {
    override async extend(claim: Claim, token: string, ttl: number) {
      const holder = await this.holderOf(claim.lock);
      if (holder !== undefined) await super.release({ lock: claim.lock }, holder);
      return super.extend(claim, token, ttl);
    }
  },
  'frees the lock when a run is settled': class extends MemoryNode {
    override async settle(claim: Claim, token: string) {
      const held = await super.settle(claim, token);
      if (held) await super.claim({ lock: claim.lock }, token, 1000);
      return held;
    }
  },
  'keeps the marker of a settled tick for its time': class extends MemoryNode {
    override async settle(claim: Claim, token: string) {
      const held = await super.settle(claim, token);
      await super.release({ lock: '', tick: claim.tick }, token);
      return held;
    }
  },
  'keeps the marker of a settled tick for its time, even with `recover`': class extends MemoryNode {
    override settle(claim: Claim, token: string) {
      const tick = claim.tick && {
        ...claim.tick,
        keep: claim.tick.recover ? TAKEOVER_WINDOW : claim.tick.keep,
      };
      return super.settle({ ...claim, tick }, token);
    }
  },
  'records the tick as run even if the lock was lost': class extends OpenNode {
    override async settle(claim: Claim, token: string) {
      return (await this.holderOf(claim.lock)) === token && super.settle(claim, token);
    }
  },
  'refuses the settled tick and older ones, and grants newer ones': class extends MemoryNode {
    override settle(claim: Claim, token: string) {
      return super.settle({ ...claim, tick: undefined }, token);
    }
  },
  'refuses a settled tick to its own token too': class extends MemoryNode {
    private readonly winners = new Set<string>();
    override async claim(claim: Claim, token: string, ttl: number) {
      const grant = `${claim.lock} ${claim.tick?.at} ${token}`;
      if (this.winners.has(grant)) return { kind: 'granted' } as const;
      const vote = await super.claim(claim, token, ttl);
      if (vote.kind === 'granted') this.winners.add(grant);
      return vote;
    }
  },
  'never sets the newest settled tick back': withLast((write) => write()),
  'compares ticks as numbers, not as strings': withLast((write, newest, at) => {
    if (newest === undefined || String(newest) < String(at)) write();
  }),
  'says "early", and how long to wait, before a tick is due': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return vote.kind === 'early' ? { ...vote, wait: Math.ceil(vote.wait / 1000) } : vote;
    }
  },
  'does not let a takeover wait for a tick that is not due': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return vote.kind === 'unbegun' && (claim.tick?.at ?? 0) > Date.now() + EARLY_CLAIM_TOLERANCE
        ? { kind: 'early' as const, wait: 1000 }
        : vote;
    }
  },
  'grants a tick shortly before it is due': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const { clockOffset = 0 } = await super.open();
      const wait = (claim.tick?.at ?? 0) - Date.now() - clockOffset;
      return wait > 0 ? { kind: 'early' as const, wait } : super.claim(claim, token, ttl);
    }
  },
  'undoes everything that a claim wrote': class extends MemoryNode {
    override release(claim: Claim, token: string) {
      return super.release({ ...claim, every: undefined }, token);
    }
  },
  'does not treat a released tick as settled': class extends MemoryNode {
    override async release(claim: Claim, token: string) {
      const held = await super.release(claim, token);
      await super.settle(claim, token);
      return held;
    }
  },
  'leaves the newest settled tick alone when a later claim is undone': class extends MemoryNode {
    private readonly released = new Set<string>();
    override claim(claim: Claim, token: string, ttl: number) {
      const last = claim.tick && this.released.has(claim.tick.last) ? 'emptied' : claim.tick?.last;
      const tick = claim.tick && last ? { ...claim.tick, key: `${claim.tick.key} ${last}`, last } : undefined;
      return super.claim({ ...claim, tick }, token, ttl);
    }
    override release(claim: Claim, token: string) {
      if (claim.tick) this.released.add(claim.tick.last);
      return super.release(claim, token);
    }
  },
  'undoes the markers of a claim whose lock another claim holds by now, but not that lock': class extends OpenNode {
    override async release(claim: Claim, token: string) {
      return (await this.holderOf(claim.lock)) === token && super.release(claim, token);
    }
  },
  'says how long the lease of a tick with `recover` still lasts': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return 'lease' in vote && vote.lease ? { ...vote, lease: vote.lease + TAKEOVER_WINDOW } : vote;
    }
  },
  'mentions no lease for a tick without `recover`': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return vote.kind === 'elsewhere' ? { ...vote, lease: vote.lease ?? 1000 } : vote;
    }
  },
  'lets a tick with `recover` be taken over once its lease is over': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return vote.kind === 'elsewhere' && claim.tick?.recover ? { ...vote, lease: vote.lease ?? 1000 } : vote;
    }
    override extend(claim: Claim, token: string, ttl: number) {
      return claim.tick?.recover ? Promise.resolve(true) : super.extend(claim, token, ttl);
    }
  },
  'reserves the lock of a tick with `recover` for a takeover': keeping(({ tick, ...rest }, ttl) => ({
    ...rest,
    tick: tick && { ...tick, recover: false, keep: tick.recover ? ttl : tick.keep },
  })),
  'leaves the tick of a released takeover to the next takeover': class extends MemoryNode {
    override release({ tick, ...claim }: Claim, token: string) {
      return super.release({ ...claim, tick: tick && { ...tick, isTakeover: false } }, token);
    }
  },
  'frees the lock of a tick with `recover` if no claim takes it over': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      return super.claim(claim, token, claim.tick?.recover ? ttl + TAKEOVER_WINDOW : ttl);
    }
  },
  'extends a tick with `recover` together with its lock': class extends MemoryNode {
    override extend(claim: Claim, token: string, ttl: number) {
      return super.extend({ lock: claim.lock }, token, ttl);
    }
  },
  'writes the missing marker again when a tick with `recover` is extended': class extends OpenNode {
    override async extend(claim: Claim, token: string, ttl: number) {
      const wasHeld = (await this.holderOf(claim.lock)) === token;
      return super.extend(wasHeld ? claim : { lock: claim.lock }, token, ttl);
    }
  },
  'extends a tick with `recover` that was left by a released takeover': class extends OpenNode {
    override async extend(claim: Claim, token: string, ttl: number) {
      const marker = claim.tick && (await this.holderOf(claim.tick.key));
      return (marker ?? token) === token && super.extend(claim, token, ttl);
    }
  },
  'grants no takeover once the first claim has settled the tick after all': class extends OpenNode {
    override async settle(claim: Claim, token: string) {
      return (await this.holderOf(claim.lock)) === token && super.settle(claim, token);
    }
  },
  'grants a takeover although the dead claim has the marker of the interval': class extends OpenNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const holder = await this.holderOf(claim.lock);
      if (claim.tick?.recover && claim.every && holder !== undefined && holder !== token) {
        return { kind: 'ran' as const, holder };
      }
      return super.claim(claim, token, ttl);
    }
  },
  'grants no takeover of a tick without `recover`': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      // As though the last second of any marker were the time of a takeover.
      const tick = claim.tick && { ...claim.tick, keep: claim.tick.keep - TAKEOVER_WINDOW };
      return super.claim({ ...claim, tick }, token, ttl);
    }
  },
  'says whose claim was taken over': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const { kind, ...rest } = await super.claim(claim, token, ttl);
      return kind === 'granted' ? { kind } : ({ kind, ...rest } as Vote);
    }
  },
  'says "unbegun" to a takeover of a tick that no claim has begun': class extends MemoryNode {
    override claim({ tick, ...claim }: Claim, token: string, ttl: number) {
      return super.claim({ ...claim, tick: tick && { ...tick, isTakeover: false } }, token, ttl);
    }
  },
  'grants a takeover of a tick that another node knows to have been begun, if this node knows a settled tick': class extends MemoryNode {
    override claim({ tick, ...claim }: Claim, token: string, ttl: number) {
      return super.claim({ ...claim, tick: tick && { ...tick, isBegunElsewhere: false } }, token, ttl);
    }
  },
  'settles no tick that another claim has taken over': class extends MemoryNode {
    override async settle(claim: Claim, token: string) {
      const wasHeld = await super.settle(claim, token);
      const { tick } = claim;
      // Writes it down under a marker that nobody else has.
      if (tick) await super.settle({ lock: 'none', tick: { ...tick, key: `${tick.key}:aside` } }, token);
      return wasHeld;
    }
  },
  'extends nothing for a tick that is settled': class extends MemoryNode {
    override extend(claim: Claim, token: string, ttl: number) {
      return super.extend({ lock: claim.lock }, token, ttl);
    }
  },
  'extends nothing for a tick that another claim has begun': class extends MemoryNode {
    override extend({ tick, ...claim }: Claim, token: string, ttl: number) {
      return super.extend({ ...claim, tick: tick && { ...tick, key: `${tick.key}:aside` } }, token, ttl);
    }
  },
  'extends nothing once a newer tick is settled, unless runs may overlap': class extends MemoryNode {
    override extend(claim: Claim, token: string, ttl: number) {
      return super.extend({ ...claim, mayOverlap: true }, token, ttl);
    }
  },
  'extends nothing once another claim has begun the interval, unless runs may overlap': class extends MemoryNode {
    override extend(claim: Claim, token: string, ttl: number) {
      return super.extend({ ...claim, every: undefined }, token, ttl);
    }
  },
  'says how far the newest settled tick is ahead of its clock': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return vote.kind === 'settled' ? { kind: vote.kind } : vote;
    }
  },
  'shortens the marker of an interval that was written for longer': class extends OpenNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const { every } = claim;
      const vote = await super.claim({ ...claim, every: every && { ...every, keep: 60_000 } }, token, ttl);
      return vote;
    }
  },
  'accepts any string as a key': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      return super.claim({ ...claim, lock: claim.lock.trim().slice(0, 5000) }, token, ttl);
    }
  },
  ...BROKEN_KNOWLEDGE,
};

describe('the contract finds the store that breaks the clause:', () => {
  const clauses = LOCK_NODE_CONTRACT.map(({ clause }) => clause);

  it.each(clauses)('%s', async (clause) => {
    const Broken = BROKEN[clause] ?? MemoryNode;
    expect(await brokenClauses(Broken)).toContain(clause);
  });

  it('and finds nothing in a store that keeps them all', async () => {
    expect(await brokenClauses(MemoryNode)).toEqual([]);
  });

  it('and is met by no store for a clause that it does not have', () => {
    expect(clauses).toEqual(expect.arrayContaining(Object.keys(BROKEN)));
  });
});

async function brokenClauses(Node: new (clock: () => number) => MemoryNode): Promise<string[]> {
  const broken: string[] = [];
  for (const { clause, check } of LOCK_NODE_CONTRACT) {
    const { now, pass } = new Clock();
    await check({ node: new Node(now), pass }).catch(() => broken.push(clause));
  }
  return broken;
}

/** A store that gives one vote the name of another. */
function renaming(from: Vote['kind'], to: 'elsewhere' | 'overlap'): typeof MemoryNode {
  return class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
      const vote = await super.claim(claim, token, ttl);
      return vote.kind === from && 'holder' in vote ? { kind: to, holder: vote.holder ?? '' } : vote;
    }
  };
}

/** A store that keeps something else than it was asked to. */
function keeping(change: (claim: Claim, ttl: number) => Claim): typeof MemoryNode {
  return class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
      return super.claim(change(claim, ttl), token, ttl);
    }
  };
}

type WriteLast = (write: () => void, newest: number | undefined, at: number) => void;

/** A store with an idea of its own about which tick is the newest settled one. */
function withLast(decide: WriteLast): typeof MemoryNode {
  return class extends MemoryNode {
    private readonly newest = new Map<string, number>();

    override claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
      return super.claim(this.changed(claim), token, ttl);
    }

    override settle(claim: Claim, token: string): Promise<boolean> {
      if (!claim.tick) return super.settle(claim, token);
      const { last, at } = claim.tick;
      let isWritten = false;
      decide(() => (isWritten = true), this.newest.get(last), at);
      if (!isWritten) return super.settle({ ...claim, tick: undefined }, token);
      this.newest.set(last, at);
      return super.settle(this.changed(claim), token);
    }

    /** The same claim by the newest settled tick that this store believes in. */
    private changed({ tick, ...rest }: Claim): Claim {
      if (!tick) return rest;
      const newest = this.newest.get(tick.last) ?? 0;
      return { ...rest, tick: { ...tick, key: `${tick.key}@${newest}`, last: `${tick.last}@${newest}` } };
    }
  };
}
