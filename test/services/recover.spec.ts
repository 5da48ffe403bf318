import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import { Exclusive, RedlockService } from '../../src/index.js';
import { LAST_TICK_RETENTION, TAKEOVER_WINDOW } from '../../src/nodes/index.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { clientOf, useServer, useServers } from '../module/redis.js';
import { Peer } from './peer-process.js';

const TTL = 2000;
const server = useServer();
beforeEach(() => clientOf(server.it).flushall());

@Injectable()
class Jobs {
  readonly starts: [tick: Date | null | undefined, at: number][] = [];
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('recovers'))
  @Exclusive('recovers', { ttl: TTL, recover: true })
  async recovers(): Promise<void> {
    this.note();
  }

  @Cron(ONCE_A_YEAR, byHand('does not'))
  @Exclusive('does not', { ttl: TTL })
  async doesNot(): Promise<void> {
    this.note();
  }

  private note(): void {
    this.starts.push([this.redlock.current()?.tick, performance.now()]);
  }
}

/** An instance that runs the tick first, for `work` milliseconds. */
async function startPeer(job: string, recover: boolean, work: number): Promise<Peer> {
  const options = { ttl: TTL, recover };
  const peer = await Peer.start({ url: server.it.url, job, when: ONCE_A_YEAR, work, options, fire: true });
  await peer.has('started');
  expect(peer.ticks('started')).toEqual([newYear().getTime()]);
  return peer;
}

const newFleet = (count: number) =>
  Promise.all(
    Array.from({ length: count }, () => start({ redlock: { nodes: server.it.url }, providers: [Jobs] })),
  );

describe('a tick whose instance dies in mid-run', () => {
  it('is run again by one other instance within the ttl and a second, with recover', async () => {
    const apps = await newFleet(3);
    const peer = await startPeer('recovers', true, 60_000);
    for (const app of apps) await fire(app, 'recovers');
    const starts = (): Jobs['starts'] => apps.flatMap((app) => app.get(Jobs).starts);
    expect(starts()).toEqual([]);
    await peer.kill();
    const death = performance.now();
    await expect.poll(starts, { timeout: 10_000, interval: 25 }).toHaveLength(1);
    expect(starts()[0]![0]).toEqual(newYear());
    expect(starts()[0]![1] - death).toBeLessThan(TTL + 1000);
    await pause(TTL + 500);
    expect(starts()).toHaveLength(1);
  });

  it('counts as run without recover; a plain call is free after the ttl', async () => {
    const [app] = await newFleet(1);
    const peer = await startPeer('does not', false, 60_000);
    await fire(app!, 'does not');
    await peer.kill();
    const jobs = app!.get(Jobs);
    await jobs.doesNot();
    expect(jobs.starts).toEqual([]);
    await pause(TTL + 300);
    await fire(app!, 'does not');
    expect(jobs.starts).toEqual([]);
    await jobs.doesNot();
    expect(jobs.starts).toEqual([[null, expect.any(Number)]]);
  });
});

describe('a tick that is not over when others ask for it', () => {
  it('is not run again while its instance lives, however long it takes, nor once it is settled', async () => {
    const [app] = await newFleet(1);
    const reasons: string[] = [];
    app!.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
    const peer = await startPeer('recovers', true, 2 * TTL + 500);
    await fire(app!, 'recovers');
    await peer.has('finished');
    await pause(TTL + 500);
    expect(reasons).toEqual(['elsewhere']);
    await fire(app!, 'recovers');
    expect(app!.get(Jobs).starts).toEqual([]);
    expect(peer.ticks('aborted')).toEqual([]);
  });
});

/** Leaves behind what an instance writes that claims a tick, and never renews its lease of `ttl` milliseconds. */
async function claimAndVanish(client: Redis, tick: number, ttl: number): Promise<void> {
  await client.set('JOB_LOCKER_recovers', 'a token that nobody renews', 'PX', ttl + TAKEOVER_WINDOW);
  const marker = `{JOB_LOCKER_recovers}:tick:${tick}`;
  await client.set(marker, 'a token that nobody renews (recover)', 'PX', ttl + LAST_TICK_RETENTION);
}

describe('a tick that somebody claimed who vanished before', () => {
  it('is run again when that lease has ended', async () => {
    const [app] = await newFleet(1);
    const client = clientOf(server.it);
    const tick = newYear().getTime();
    // As long as the lease and the second in which it can be taken over.
    await claimAndVanish(client, tick, 500);
    const jobs = app!.get(Jobs);
    await fire(app!, 'recovers');
    expect(jobs.starts).toEqual([]);
    await expect.poll(() => jobs.starts.length, { timeout: 5000 }).toBe(1);
    expect(jobs.starts[0]![0]).toEqual(newYear());
    await expect.poll(() => client.get('{JOB_LOCKER_recovers}:last')).toBe(String(tick));
  });
});

describe('a tick is taken over although the first of three nodes', () => {
  const servers = useServers(3);

  it.each<[what: string, change: (client: Redis) => Promise<unknown>]>([
    ['has forgotten it', (client) => client.flushall()],
    ['votes for a newer one', (client) => client.set('JOB_LOCKER_recovers', 'a newer tick')],
  ])('%s', async (_what, change) => {
    const clients = servers.map((each) => clientOf(each));
    for (const client of clients) await client.flushall();
    const app = await start({ redlock: { nodes: servers.map(({ url }) => url) }, providers: [Jobs] });
    const tick = newYear().getTime();
    for (const client of clients) await claimAndVanish(client, tick, 1000);
    const jobs = app.get(Jobs);
    await fire(app, 'recovers');
    expect(jobs.starts).toEqual([]);
    await change(clients[0]!);
    await clients[0]!.set(`{JOB_LOCKER_recovers}:losers:${tick}`, 5);
    await expect.poll(() => jobs.starts.length, { timeout: 5000 }).toBe(1);
    expect(jobs.starts[0]![0]).toEqual(newYear());
  });
});
