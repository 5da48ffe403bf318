import { beforeEach, describe, expect, it } from 'vitest';
import { createStore } from '../../src/acquire/create-store.js';
import { ReplicatedPauses } from '../../src/acquire/replicated-pauses.js';
import { MemoryNode } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import type { Pause } from '../../src/nodes/job-view.js';
import type { LockNode } from '../../src/nodes/lock-node.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { claimOf, deadNode } from '../nodes/support.js';
import { Gate } from '../services/gate.js';

const KEYS = new JobKeys('JOB_LOCKER', 'report');
const never = (): Promise<never> => new Promise(() => {});
/** A node that takes every command, and answers none. */
const silent: LockNode = { ...deadNode(), claim: never, pause: never, release: never };

const version = (number: number, isPaused: boolean): Pause => ({
  isPaused,
  version: number,
  until: undefined,
  detail: '',
});
const OLD = version(1, true);
const NEW = version(2, false);

/** A node that tells what it knows once its gate is open. */
class Late extends MemoryNode {
  readonly gate = new Gate();

  constructor(now: () => number) {
    super(now);
    this.gate.close();
  }
  override async pause(...[key, pause]: Parameters<MemoryNode['pause']>): Promise<Pause | undefined> {
    if (!pause) await this.gate.until;
    return super.pause(key, pause);
  }
}

let clock: ManualClock;
let nodes: MemoryNode[];
/** Two nodes know that the pause has ended, one does not, and two are silent. */
let fleet: LockNode[];
beforeEach(async () => {
  clock = new ManualClock();
  nodes = Array.from({ length: 3 }, () => new MemoryNode(clock.now));
  fleet = [silent, ...nodes, silent];
  for (const node of nodes) await node.pause(KEYS.pause, OLD);
  for (const node of nodes.slice(1)) await node.pause(KEYS.pause, NEW);
});

describe('the repair of a pause that nodes disagree about', () => {
  it('does not wait for nodes that are silent', async () => {
    await new ReplicatedPauses(fleet, clock).repair(KEYS.pause);
    expect(await Promise.all(nodes.map((node) => node.pause(KEYS.pause)))).toEqual([NEW, NEW, NEW]);
  });

  it('reaches a node that answers late', async () => {
    const late = new Late(clock.now);
    await late.pause(KEYS.pause, OLD);
    await new ReplicatedPauses([late, ...nodes, silent], clock).repair(KEYS.pause);
    late.gate.open();
    await expect.poll(() => late.pause(KEYS.pause)).toEqual(NEW);
  });

  it('spreads what a node knows that answers late, if others have lost it', async () => {
    const late = new Late(clock.now);
    await late.pause(KEYS.pause, NEW);
    const [outdated, empty] = [nodes[0]!, new MemoryNode(clock.now)];
    await new ReplicatedPauses([outdated, late, empty], clock).repair(KEYS.pause);
    expect(await empty.pause(KEYS.pause)).toEqual(OLD);
    late.gate.open();
    for (const node of [outdated, empty]) await expect.poll(() => node.pause(KEYS.pause)).toEqual(NEW);
  });

  it('chooses one of two pauses that were written in the same millisecond', async () => {
    const [sooner, later] = [3000, 4000].map((until) => ({
      ...version(3, true),
      until: clock.now() + until,
    }));
    await nodes[0]!.pause(KEYS.pause, later);
    for (const node of nodes.slice(1)) await node.pause(KEYS.pause, sooner);
    await new ReplicatedPauses(nodes, clock).repair(KEYS.pause);
    expect(await Promise.all(nodes.map((node) => node.pause(KEYS.pause)))).toEqual([sooner, sooner, sooner]);
  });

  it('ends without a majority', async () => {
    await new ReplicatedPauses([deadNode(), deadNode(), nodes[0]!, deadNode()], clock).repair(KEYS.pause);
    expect(await nodes[0]!.pause(KEYS.pause)).toEqual(OLD);
  });

  it('lets the next attempt win, before a silent node has counted as down', async () => {
    const store = createStore(fleet, clock);
    const claim = { ...claimOf('report', clock.now()), pause: KEYS.pause };
    const attempt = async (number: number): Promise<unknown> => {
      const vote = store.vote(claim, 30_000, number, false);
      await clock.advance(100);
      return vote;
    };
    expect(await attempt(0)).toMatchObject({ kind: 'split', isPauseUnclear: true });
    expect(await attempt(1)).toMatchObject({ kind: 'granted' });
  });
});
