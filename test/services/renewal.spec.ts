import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron, Interval } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CurrentRun, Exclusive, LockLostError, RedlockService } from '../../src/index.js';
import { byHand, fire, newYear, ONCE_A_YEAR, startFleet } from '../module/application.js';
import { clientOf, useServers } from '../module/redis.js';

const TTL = 3000;
/** A renewal takes place after a third of the ttl. */
const RENEWED = TTL / 3;
/** How much later it may be on a busy machine, in milliseconds. */
const BUSY = 700;

const servers = useServers(3);
let clients: Redis[];
beforeEach(async () => {
  clients = servers.map((server) => clientOf(server));
  await Promise.all(clients.map((client) => client.flushall()));
});

@Injectable()
class Jobs {
  readonly runs: CurrentRun[] = [];
  readonly stop = new AbortController();
  work = 60_000;
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('tick'))
  @Exclusive('tick', { ttl: TTL })
  async tick(): Promise<void> {
    await this.go();
  }

  @Cron(ONCE_A_YEAR, byHand('recovers'))
  @Exclusive('recovers', { ttl: TTL, recover: true })
  async recovers(): Promise<void> {
    await this.go();
  }

  @Interval('interval', 3_600_000)
  @Exclusive('interval', { ttl: TTL, every: '1h' })
  async interval(): Promise<void> {
    await this.go();
  }

  private async go(): Promise<void> {
    this.runs.push(this.redlock.current()!);
    await pause(this.work, undefined, { signal: this.stop.signal }).catch(() => {});
  }
}

let apps: TestingModule[];
afterEach(() => {
  for (const app of apps) app.get(Jobs).stop.abort();
});

/** Two instances; a run of the first is in progress, and all nodes have forgotten it. */
async function forgotten(nodeCount: number, job: 'tick' | 'recovers' | 'interval'): Promise<CurrentRun> {
  const nodes = servers.slice(0, nodeCount).map(({ url }) => url);
  apps = await startFleet(2, { redlock: { nodes, shutdownTimeout: 1 }, providers: [Jobs] });
  const jobs = apps.map((app) => app.get(Jobs));
  void (job === 'interval' ? jobs[0]!.interval() : fire(apps[0]!, job));
  await expect.poll(() => jobs[0]!.runs.length).toBe(1);
  await Promise.all(clients.map((client) => client.flushall()));
  return jobs[0]!.runs[0]!;
}

describe.each([1, 3])('a renewal, on %i node(s) that have forgotten the run,', (nodeCount) => {
  it.each(['tick', 'recovers', 'interval'] as const)(
    'aborts the run at once when another instance has run it meanwhile: %s',
    async (job) => {
      const run = await forgotten(nodeCount, job);
      const other = apps[1]!.get(Jobs);
      other.work = 1;
      await (job === 'interval' ? other.interval() : fire(apps[1]!, job));
      expect(other.runs).toHaveLength(1);
      const since = performance.now();
      await expect.poll(() => run.signal.aborted, { timeout: TTL }).toBe(true);
      expect(performance.now() - since).toBeLessThan(RENEWED + BUSY);
      expect(run.signal.reason).toBeInstanceOf(LockLostError);
      expect((run.signal.reason as Error).message).toContain(
        'another instance holds the lock, or has run this tick',
      );
      await expect(run.extend()).rejects.toThrow(LockLostError);
    },
  );

  it('tells the truth when the run asks for it', async () => {
    const run = await forgotten(nodeCount, 'tick');
    const other = apps[1]!.get(Jobs);
    other.work = 1;
    await fire(apps[1]!, 'tick');
    expect(other.runs).toHaveLength(1);
    await expect(run.extend()).rejects.toThrow(LockLostError);
    expect(run.signal.aborted).toBe(true);
  });

  it('aborts the run after a third of its ttl when another instance runs it', async () => {
    const run = await forgotten(nodeCount, 'tick');
    const since = performance.now();
    void fire(apps[1]!, 'tick');
    await expect.poll(() => run.signal.aborted, { timeout: TTL }).toBe(true);
    expect(performance.now() - since).toBeLessThan(RENEWED + BUSY);
    expect(apps[1]!.get(Jobs).runs[0]?.signal.aborted).toBe(false);
  });

  it('takes the lock again when nobody else had it', async () => {
    const run = await forgotten(nodeCount, 'tick');
    await pause(RENEWED + BUSY);
    expect(run.signal.aborted).toBe(false);
    expect(await clients[0]!.exists('JOB_LOCKER_tick')).toBe(1);
  });
});

it('a run that has lost its tick does not settle it under the run that has taken it over', async () => {
  await forgotten(1, 'recovers');
  void fire(apps[1]!, 'recovers');
  await expect.poll(() => apps[1]!.get(Jobs).runs.length).toBe(1);
  apps[0]!.get(Jobs).stop.abort();
  await pause(300);
  expect(await clients[0]!.exists('{JOB_LOCKER_recovers}:last')).toBe(0);
  await apps[1]!.get(Jobs).runs[0]!.extend();
  apps[1]!.get(Jobs).stop.abort();
  await expect.poll(() => clients[0]!.get('{JOB_LOCKER_recovers}:last')).toBe(String(newYear().getTime()));
});

/** Nothing of this process runs meanwhile, as when its machine is suspended. */
function freeze(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

describe('a run that stood still for longer than its lease', () => {
  const events: string[] = [];

  async function frozen(look: (run: CurrentRun) => unknown): Promise<unknown> {
    events.length = 0;
    const [app] = await startFleet(1, { redlock: { nodes: servers[0]!.url }, providers: [Jobs] });
    apps = [app!];
    const redlock = app!.get(RedlockService);
    redlock.on('aborted', ({ error }) => events.push(`lost: ${error.message}`));
    redlock.on('finished', () => events.push('finished'));
    const outcome = await redlock.run(
      'frozen',
      async (run) => {
        const wake = pause(50);
        freeze(1700);
        await wake;
        // Its timers, which are due by now, come later.
        return look(run);
      },
      { ttl: 1500 },
    );
    return outcome.ran && outcome.value;
  }

  it.each<[string, (run: CurrentRun) => unknown, unknown]>([
    ['signal.aborted', ({ signal }) => signal.aborted, true],
    ['signal.reason', ({ signal }) => (signal.reason as Error | undefined)?.name, 'LockLostError'],
    [
      'signal.throwIfAborted()',
      ({ signal }) => {
        try {
          signal.throwIfAborted();
        } catch (error) {
          return (error as Error).name;
        }
        return 'went on';
      },
      'LockLostError',
    ],
    ['a request with the signal', ({ signal }) => AbortSignal.any([signal]).aborted || signal.aborted, true],
  ])('sees it in %s', async (_what, look, expected) => {
    expect(await frozen(look)).toBe(expected);
  });

  it('is reported as lost although it never looked, and says what may have happened', async () => {
    await frozen(() => 'written');
    expect(events).toEqual([
      expect.stringContaining('Another instance may have acquired the lock meanwhile'),
      'finished',
    ]);
  });
});
