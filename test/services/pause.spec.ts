import { Injectable, Module } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockModule, RedlockService, StoreDownError } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest, closeNow } from '../close-after-test.js';

const START = new Date('2031-05-07T09:30:05Z');
const MINUTE = 60_000;
const KEYS = new JobKeys('JOB_LOCKER', 'report');

/** A node that can be down, or have no room for a pause, and keeps what it knows. */
class Node extends MemoryNode {
  isDown = false;
  isFull = false;

  private answer<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return this.isDown ? Promise.reject(new Error('down')) : ask();
  }
  override claim(...args: Parameters<MemoryNode['claim']>) {
    return this.answer(() => super.claim(...args));
  }
  override settle(...args: Parameters<MemoryNode['settle']>) {
    return this.answer(() => super.settle(...args));
  }
  override release(...args: Parameters<MemoryNode['release']>) {
    return this.answer(() => super.release(...args));
  }
  override look(...args: Parameters<MemoryNode['look']>) {
    return this.answer(() => super.look(...args));
  }
  override pause(...args: Parameters<MemoryNode['pause']>) {
    if (this.isFull && args[1]) return Promise.reject(new Error('OOM'));
    return this.answer(() => super.pause(...args));
  }
}

@Injectable()
class Jobs {
  @Cron('0 * * * * *', { timeZone: 'UTC' })
  @Exclusive('report')
  async report(): Promise<void> {}
}

@Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
class AppModule {}

class World {
  private minute = 0;
  now = START.getTime();
  readonly nodes: Node[];
  fleet!: TestFleet;

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, () => new Node(() => this.now));
  }

  /** Starts the fleet, or replaces it. */
  async deploy(): Promise<void> {
    if (this.fleet) await closeNow(this.fleet);
    this.fleet = await TestFleet.create(AppModule, {
      instances: 1,
      now: new Date(this.now),
      nodes: this.nodes,
    });
    closeAfterTest(this.fleet);
  }

  get redlock(): RedlockService {
    return this.fleet.instances[0]!.get(RedlockService);
  }

  only(down: readonly number[]): void {
    for (const [index, node] of this.nodes.entries()) node.isDown = down.includes(index);
  }

  refusing(full: readonly number[]): void {
    for (const [index, node] of this.nodes.entries()) node.isFull = full.includes(index);
  }

  /** What the next tick does: `'ran'`, or the reason why not. */
  async tick(): Promise<string | undefined> {
    this.now = START.getTime() - 5000 + ++this.minute * MINUTE;
    const [run] = await this.fleet.fire('report', new Date(this.now));
    return run?.ran ? 'ran' : run?.reason;
  }
}

/** All ways to lose a minority of the nodes, one after the other: which are down at each of two writes, and at the tick. */
function* minorities(count: number): Iterable<[number[], number[], number[]]> {
  const subsets = Array.from({ length: 2 ** count }, (_, bits) =>
    Array.from({ length: count }, (_each, index) => index).filter((index) => bits & (1 << index)),
  ).filter(({ length }) => length === Math.floor((count - 1) / 2));
  for (const first of subsets) {
    for (const second of subsets) for (const third of subsets) yield [first, second, third];
  }
}

describe('a pause and its end are decided by a majority', () => {
  it.each([3, 5])(
    'of %i nodes, whichever minority is down at each step',
    { timeout: 120_000 },
    async (count) => {
      const world = new World(count);
      await world.deploy();
      const wrong: string[] = [];
      let round = 0;
      for (const [first, second, third] of minorities(count)) {
        // All of them on three nodes; on five, there are a thousand.
        if (count > 3 && round++ % 29 !== 0) continue;
        world.only(first);
        await world.redlock.pause('report', { note: 'migration' });
        world.only(third);
        const paused = await world.tick();
        world.only(second);
        await world.redlock.resume('report');
        world.only(third);
        const resumed = await world.tick();
        world.only([]);
        const after = await world.tick();
        const story = `${[first, second, third].join(' ')}: ${paused} ${resumed} ${after}`;
        if (!story.endsWith(': paused ran ran')) wrong.push(story);
      }
      expect(wrong).toEqual([]);
    },
  );

  it('and one that has ended is not revived by a node that was down meanwhile, and knows an older one', async () => {
    const world = new World(3);
    await world.deploy();
    await world.redlock.pause('report');
    world.only([2]);
    await world.redlock.pause('report', { for: '70s' });
    expect(await world.tick()).toBe('paused');
    world.only([0]);
    expect(await world.tick()).toBe('ran');
    world.only([1]);
    expect(await world.tick()).toBe('ran');
    world.only([]);
    expect((await world.redlock.status('report')).paused).toBeNull();
  });

  it.each([0, 1, 2])('and node %i, which was down, learns of each with the next tick', async (down) => {
    const world = new World(3);
    await world.deploy();
    const known = () => Promise.all(world.nodes.map((node) => node.pause(KEYS.pause)));
    for (const write of ['pause', 'resume'] as const) {
      world.only([down]);
      await world.redlock[write]('report');
      world.only([]);
      expect(await world.tick()).toBe(write === 'pause' ? 'paused' : 'ran');
      await expect.poll(async () => new Set((await known()).map((pause) => pause?.version)).size).toBe(1);
      expect((await known())[down]?.isPaused).toBe(write === 'pause');
    }
  });

  it.each([0, 1, 2])('and one that only node %i still knows is not brought back by it', async (node) => {
    const world = new World(3);
    await world.deploy();
    await world.nodes[node]!.pause(KEYS.pause, {
      isPaused: true,
      version: 1,
      until: undefined,
      detail: '{}',
    });
    for (let ticks = 0; ticks < 3; ticks++) expect(await world.tick()).toBe('ran');
  });

  it('and the end counts of two that were written at once, although a node knows only the pause', async () => {
    const world = new World(3);
    await world.deploy();
    const write = (node: number, isPaused: boolean) =>
      world.nodes[node]!.pause(KEYS.pause, { isPaused, version: 1, until: undefined, detail: '{}' });
    await Promise.all([write(0, true), write(1, true), write(1, false), write(2, false)]);
    world.only([2]);
    expect(await world.tick()).toBe('ran');
  });

  it('so neither is confirmed without one', async () => {
    const world = new World(3);
    await world.deploy();
    world.only([0, 1]);
    await expect(world.redlock.pause('report')).rejects.toThrow(StoreDownError);
    await expect(world.redlock.resume('report')).rejects.toThrow(StoreDownError);
    world.only([]);
    expect(await world.tick()).toBe('ran');
  });

  it('and `status` says what that does, whichever write has reached a minority', async () => {
    const world = new World(3);
    await world.deploy();
    const paused = async () => (await world.redlock.status('report')).paused?.note;
    world.refusing([1, 2]);
    await expect(world.redlock.pause('report', { note: 'migration' })).rejects.toThrow(StoreDownError);
    expect([await paused(), await world.tick()]).toEqual([undefined, 'ran']);
    world.refusing([]);
    await world.redlock.pause('report', { note: 'migration' });
    world.refusing([1, 2]);
    await expect(world.redlock.resume('report')).rejects.toThrow(StoreDownError);
    expect([await paused(), await world.tick()]).toEqual(['migration', 'paused']);
  });

  it('and outlast a deployment', async () => {
    const world = new World(3);
    await world.deploy();
    await world.redlock.pause('report', { for: '150s', note: 'migration' });
    await world.deploy();
    expect(await world.tick()).toBe('paused');
    expect(await world.tick()).toBe('paused');
    expect((await world.redlock.status('report')).paused).toMatchObject({ note: 'migration' });
    expect(await world.tick()).toBe('ran');
  });

  it('and a job runs by hand while it is paused', async () => {
    const world = new World(3);
    await world.deploy();
    await world.redlock.pauseAll();
    expect(await world.redlock.trigger('report')).toEqual({ ran: true, value: undefined });
    expect(await world.redlock.run('report', () => 1)).toEqual({ ran: true, value: 1 });
    expect(await world.tick()).toBe('paused');
    await world.redlock.resumeAll();
    expect(await world.tick()).toBe('ran');
    const history = await world.redlock.history('report');
    expect(history.map(({ trigger }) => trigger)).toEqual(['schedule', 'call', 'manual']);
  });
});
