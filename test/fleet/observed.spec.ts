import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type JobStatus, RedlockService, type RunRecord } from '../../src/index.js';
import { startServers } from '../engine/redis-server.js';
import { build } from '../module/application.js';
import type { ObservedMessage, ObservedSpec } from './observed.js';

const PROGRAM = fileURLToPath(new URL('../../build/test/fleet/observed.js', import.meta.url));
const SECOND = 1000;

type Missed = Extract<ObservedMessage, { event: 'missed' }>;

/** What ends whatever the tests have started: they run at the same time, as they mostly wait. */
const endings: (() => unknown)[] = [];
afterAll(() => Promise.all(endings.map((end) => end())));

/** An instance in a process of its own. */
class Observed {
  private constructor(
    readonly instanceId: string,
    private readonly child: ChildProcess,
  ) {}

  /** @param log Where its messages go. */
  static async start(spec: ObservedSpec, log: ObservedMessage[]): Promise<Observed> {
    const child = fork(PROGRAM, { env: { ...process.env, OBSERVED: JSON.stringify(spec) }, execArgv: [] });
    endings.push(() => child.kill('SIGKILL'));
    const observed = new Observed(spec.instanceId, child);
    const ready = new Promise<void>((resolve) => {
      child.on('message', (message: ObservedMessage) => {
        log.push(message);
        if (message.event === 'ready') resolve();
      });
    });
    await ready;
    return observed;
  }

  /** How long its next runs take, in milliseconds. */
  works(milliseconds: number): void {
    // It may have been killed, and this process not know yet.
    if (this.child.connected) this.child.send(String(milliseconds), () => {});
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

/** A fleet of three, and a service that looks at it from outside. */
class World {
  /** What all instances have told, in this order. */
  readonly log: ObservedMessage[] = [];
  current: Observed[] = [];
  private generation = 0;

  constructor(
    private readonly nodes: readonly string[],
    readonly redlock: RedlockService,
  ) {}

  async start(): Promise<void> {
    const generation = ++this.generation;
    const ids = ['a', 'b', 'c'].map((name) => `${name}${generation}`);
    this.current = await Promise.all(
      ids.map((instanceId) => Observed.start({ nodes: this.nodes, instanceId }, this.log)),
    );
  }

  get missed(): Missed[] {
    return this.log.filter((each) => each.event === 'missed');
  }

  get ticks(): number[] {
    return this.log.flatMap((each) => (each.event === 'started' ? [each.tick] : []));
  }

  works(milliseconds: number): void {
    for (const each of this.current) each.works(milliseconds);
  }

  /** Waits until `amount` more ticks have run. */
  async runs(amount: number): Promise<void> {
    const before = this.ticks.length;
    await vi.waitUntil(() => this.ticks.length >= before + amount, 30_000);
    await pause(300);
  }

  /** The long run in progress: short ones are over by then. */
  async running(): Promise<{ readonly instanceId: string; readonly tick: Date | null }> {
    const find = async (): Promise<JobStatus['running']> => {
      const { running } = await this.redlock.status('report');
      return running && Date.now() - running.startedAt.getTime() > 500 ? running : null;
    };
    return await vi.waitUntil(find, 30_000);
  }
}

describe('history, status, missed and overdue tell what has happened to a fleet', () => {
  it.concurrent.each([
    ['one node', 1, []],
    ['five nodes, two of which are dead', 5, [1, 3]],
  ])(
    'killed in mid-run, cut off, overlapping, and stopped: %s',
    { timeout: 180_000 },
    async (_what, count, dead) => {
      const servers = await startServers(count);
      endings.push(() => Promise.all(servers.map((server) => server.stop())));
      for (const index of dead) servers[index]!.pause();
      const nodes = servers.map(({ url }) => url);
      const office = await build({ redlock: { nodes } });
      await office.init();
      endings.push(() => office.close());
      const world = new World(nodes, office.get(RedlockService));
      const story: string[] = [];
      /** The causes since the last chapter, and how many ticks they concern. */
      let told = 0;
      const chapter = (): { readonly causes: string[]; readonly count: number } => {
        const missed = world.missed.slice(told);
        told = world.missed.length;
        story.push(JSON.stringify(missed));
        return {
          causes: [...new Set(missed.map(({ cause }) => cause))],
          count: missed.reduce((sum, each) => sum + each.count, 0),
        };
      };
      await world.start();
      await world.runs(4);
      expect(chapter(), 'at the start').toEqual({ causes: [], count: 0 });

      // An instance is killed while it runs a tick: that one, and those that find its lock, died.
      world.works(20 * SECOND);
      const { instanceId, tick } = await world.running();
      await world.current.find((each) => each.instanceId === instanceId)!.kill();
      world.works(50);
      await world.runs(3);
      const killed = chapter();
      expect(killed.causes).toEqual(['died']);
      expect(killed.count).toBeGreaterThanOrEqual(2);
      const died = (await world.redlock.history('report')).filter(({ outcome }) => outcome === 'died');
      expect(died).toMatchObject([{ instanceId, tick, duration: null }] satisfies Partial<RunRecord>[]);

      // A run takes longer than three periods.
      world.works(3500);
      await world.running();
      world.works(50);
      await world.runs(3);
      const overlapped = chapter();
      expect(overlapped.causes).toEqual(['overlap']);
      expect(overlapped.count).toBeGreaterThanOrEqual(3);

      // The nodes that are left hang for ten seconds.
      const left = servers.filter((_server, index) => !dead.some((each) => each === index));
      await pause(1000 - (Date.now() % 1000) + 500);
      for (const server of left) server.pause();
      await pause(10 * SECOND);
      for (const server of left) server.resume();
      await world.runs(3);
      const cutOff = chapter();
      expect(cutOff.causes).toEqual(['store-down']);
      expect(cutOff.count).toBeGreaterThanOrEqual(8);

      // The whole fleet is stopped for a while.
      await Promise.all(
        world.current.filter((each) => each.instanceId !== instanceId).map((each) => each.kill()),
      );
      const stoppedAt = Date.now();
      await pause(8 * SECOND);
      const status = await world.redlock.status('report');
      expect(status).toMatchObject({ running: null, paused: null, lastOutcome: 'finished' });
      expect(status.lastTick!.getTime()).toBeLessThanOrEqual(stoppedAt + 500);
      await world.start();
      await world.runs(3);
      const stopped = chapter();
      expect(stopped.causes).toEqual(['unknown']);
      expect(stopped.count).toBeGreaterThanOrEqual(6);

      // Every tick ran once or was reported as missed once.
      const reported = world.missed.flatMap(({ from, to, count: length }) =>
        Array.from({ length }, (_each, index) => from + (index * (to - from)) / Math.max(length - 1, 1)),
      );
      const all = [...new Set([...world.ticks, ...reported])].toSorted((a, b) => a - b);
      expect(all).toEqual(all.map((_tick, index) => all[0]! + index * SECOND));
      for (const index of dead) servers[index]!.resume();
    },
  );
});
