import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { findEngine } from '../engine/redis-server.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from './application.js';
import { clientOf, useServers } from './redis.js';

const TTL = 2000;

let runs: string[] = [];
/** Called at the end of a run. */
let atEnd = async (): Promise<void> => {};

@Injectable()
class Jobs {
  constructor(private readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('recovers'))
  @Exclusive('recovers', { recover: true })
  async recovers(): Promise<void> {
    await this.run();
  }

  @Cron(ONCE_A_YEAR, byHand('usual'))
  @Exclusive('usual')
  async usual(): Promise<void> {
    await this.run();
  }

  private async run(): Promise<void> {
    runs.push(this.redlock.current()?.instanceId ?? '');
    // Until the others have lost the tick.
    await pause(200);
    await atEnd();
  }
}

beforeEach(() => void (runs = []));

describe.skipIf(findEngine().kind === 'embedded').each([
  { nodes: 1, refusing: 1 },
  { nodes: 3, refusing: 3 },
  { nodes: 3, refusing: 1 },
])('a run at whose end $refusing of $nodes nodes refuse to write for a moment', ({ nodes, refusing }) => {
  const servers = useServers(nodes);

  it.each(['recovers', 'usual'])('is settled as soon as they write again: %s', async (job) => {
    const clients = servers.map((server) => clientOf(server));
    const replicas = (count: number): Promise<unknown> =>
      Promise.all(
        clients.slice(0, refusing).map((each) => each.config('SET', 'min-replicas-to-write', count)),
      );
    atEnd = async () => void (await replicas(1));
    const begin = (instanceId: string) =>
      start({ redlock: { nodes: servers.map(({ url }) => url), ttl: TTL, instanceId }, providers: [Jobs] });
    const [a, b] = await Promise.all([begin('a'), begin('b')]);

    const run = fire(a, job);
    await pause(100);
    await fire(b, job);
    await run;
    await pause(200);
    await replicas(0);

    await expect
      .poll(() => Promise.all(clients.map((each) => each.exists(`JOB_LOCKER_${job}`))), {
        timeout: TTL / 2,
      })
      .toEqual(clients.map(() => 0));
    // Beyond the end of the lease, and the takeover that would follow.
    await pause(TTL + 500);
    expect(runs).toEqual(['a']);
    expect(await b.get(RedlockService).history(job)).toMatchObject([
      { outcome: 'finished', tick: newYear() },
    ]);
    const last = await Promise.all(clients.map((each) => each.get(`{JOB_LOCKER_${job}}:last`)));
    expect(last).toEqual(clients.map(() => `${newYear().getTime()}`));
  });
});
