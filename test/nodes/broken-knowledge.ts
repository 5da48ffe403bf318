import { DIED, type JobKeyNames, type Pause, type Register } from '../../src/nodes/job-view.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { MemoryNode } from '../../src/nodes/memory-node.js';

type History = NonNullable<Claim['history']>;

/** A store that keeps something else on record than it was asked to. */
function recording(change: (history: History) => Partial<History>): typeof MemoryNode {
  const changed = ({ history, ...claim }: Claim): Claim => ({
    ...claim,
    history: history && { ...history, ...change(history) },
  });
  return class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      return super.claim(changed(claim), token, ttl);
    }
    override settle(claim: Claim, token: string, record?: string) {
      return super.settle(changed(claim), token, record);
    }
  };
}

/** A store that writes another pause than it is told to. */
function pausing(change: (pause: Pause) => Pause): typeof MemoryNode {
  return class extends MemoryNode {
    override pause(key: string, pause?: Pause) {
      return super.pause(key, pause && change(pause));
    }
  };
}

/** Each of these stores breaks one clause about what a node knows, by the check that must find it. */
export const BROKEN_KNOWLEDGE: Record<string, new (clock: () => number) => MemoryNode> = {
  'puts each settled run on record, the newest first, and returns as many as are asked for': class extends MemoryNode {
    override async look(job: JobKeyNames, limit: number) {
      const view = await super.look(job, limit);
      return { ...view, records: view.records.toReversed() };
    }
  },
  'puts a run on record once, even if its settle arrives twice': class extends MemoryNode {
    override async settle(claim: Claim, token: string, record?: string) {
      const held = await super.settle(claim, token, record);
      if (!held) await super.settle(claim, token, `${record} `);
      return held;
    }
  },
  'puts a run on record although its lock was lost': class extends MemoryNode {
    override async settle(claim: Claim, token: string, record?: string) {
      const keys = { lock: claim.lock, last: '', begun: '', records: '', pause: '' };
      const { holder } = await super.look(keys, 0);
      return super.settle(claim, token, holder === token ? record : undefined);
    }
  },
  'puts nothing on record for a settle without a record': class extends MemoryNode {
    override settle(claim: Claim, token: string, record = 'nothing') {
      return super.settle(claim, token, record);
    }
  },
  'keeps as many records as the claim says': recording(({ limit }) => ({ limit: limit + 1 })),
  'lets the records expire by themselves': recording(() => ({ keep: 60_000 })),
  'puts an unsettled run on record when it grants the next one, and says which run that was': recording(
    () => ({
      begun: undefined,
    }),
  ),
  'does not call a run unfinished if it was settled, released, or claimed again with its token': class extends MemoryNode {
    override settle({ history, ...claim }: Claim, token: string, record?: string) {
      return super.settle({ ...claim, history: history && { ...history, begun: undefined } }, token, record);
    }
  },
  'begins and ends no run for a claim that it refuses': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      if (vote.kind === 'overlap' && claim.history?.begun !== undefined) {
        await super.claim({ lock: `${claim.lock}:aside`, history: claim.history }, token, ttl);
      }
      return vote;
    }
  },
  'reports the holder of the lock and the newest settled tick, if there are any': class extends MemoryNode {
    override async look(job: JobKeyNames, limit: number) {
      return { ...(await super.look(job, limit)), last: undefined };
    }
  },
  'reports to a winner the newest settled tick before its own': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const vote = await super.claim(claim, token, ttl);
      return vote.kind === 'granted' ? { ...vote, last: undefined } : vote;
    }
  },
  'refuses the claims of a paused job that name its pause key, and grants the others': class extends MemoryNode {
    override claim(claim: Claim, token: string, ttl: number) {
      return super.claim({ ...claim, pause: undefined }, token, ttl);
    }
  },
  'grants a claim that arrives again after the job was paused': class extends MemoryNode {
    override async claim(claim: Claim, token: string, ttl: number) {
      const pause = claim.pause === undefined ? undefined : await super.pause(claim.pause);
      return pause?.isPaused ? ({ kind: 'paused' } as const) : super.claim(claim, token, ttl);
    }
  },
  'grants claims again once the job is resumed': pausing((pause) => ({ ...pause, isPaused: true })),
  'reports the pause as it was written': pausing((pause) => ({
    ...pause,
    detail: pause.detail.trim().slice(0, 5),
  })),
  'keeps the newest pause, in whatever order they are written': class extends MemoryNode {
    private writes = 100;
    override async pause(key: string, pause?: Pause) {
      const stored = await super.pause(key, pause && { ...pause, version: ++this.writes });
      return stored && pause ? { ...stored, version: pause.version } : stored;
    }
  },
  'keeps the same one of two pauses with equal versions, in either order': class extends MemoryNode {
    override async pause(key: string, pause?: Pause) {
      const known = await super.pause(key);
      return super.pause(key, known?.version === pause?.version ? undefined : pause);
    }
  },
  'lets a pause end by itself, and remembers it: an older one does not count': class extends MemoryNode {
    private ends = Number.POSITIVE_INFINITY;
    private generation = 0;
    constructor(private readonly clock: () => number) {
      super(clock);
    }
    override pause(key: string, pause?: Pause) {
      // Forgets a pause as soon as it has ended.
      if (this.clock() >= this.ends) this.generation++;
      if (pause) this.ends = pause.until ?? Number.POSITIVE_INFINITY;
      return super.pause(`${key}${this.generation}`, pause);
    }
    override claim(claim: Claim, token: string, ttl: number) {
      const pause = claim.pause === undefined ? undefined : `${claim.pause}${this.generation}`;
      return super.claim({ ...claim, pause }, token, ttl);
    }
  },
  'registers an entry, renews it, and writes it anew': class extends MemoryNode {
    override register(register: Register, id: string, keep: number, content = DIED) {
      return super.register(register, id, keep, content);
    }
  },
};
