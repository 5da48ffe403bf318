import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { byHand, fire, newYear, ONCE_A_YEAR, startFleet } from '../module/application.js';
import { clientOf, useServers } from '../module/redis.js';
import { callsOf } from '../nodes/support.js';

const servers = useServers(3);

describe.each([1, 3])('on %i Redis servers, a tick with "buffer-one"', (count) => {
  const runs: (Date | null | undefined)[] = [];

  @Injectable()
  class Jobs {
    constructor(readonly redlock: RedlockService) {}

    @Cron(ONCE_A_YEAR, byHand('report'))
    @Exclusive('report', { overlap: 'buffer-one' })
    async report(): Promise<void> {
      runs.push(this.redlock.current()?.tick);
    }
  }

  it('waits on two instances for whatever holds the lock, and then runs on one of them', async () => {
    const nodes = servers.slice(0, count);
    const fleet = await startFleet(4, {
      // On a busy machine, a first answer that takes too long would make more of them wait.
      redlock: { nodes: nodes.map(({ url }) => url), keyPrefix: `ON_${count}`, nodeTimeout: 5000 },
      providers: [Jobs],
    });
    const reasons: string[] = [];
    for (const app of fleet) app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
    // The first commands of a connection take longer, and an instance that finds the lead node slow would wait, too.
    for (const app of fleet) await app.get(RedlockService).run('warm-up', () => {});
    const [client] = nodes.map((server) => clientOf(server));
    await client?.config('RESETSTAT');
    const lock = await fleet[0]?.get(RedlockService).lock('report');
    // A majority has granted it; a node without it would rank a loser otherwise.
    const key = new JobKeys(`ON_${count}`, 'report').lock;
    for (const server of nodes) await expect.poll(() => clientOf(server).exists(key)).toBe(1);
    const firings = fleet.map((app) => fire(app, 'report'));
    await expect.poll(() => reasons, { timeout: 10_000 }).toEqual(['elsewhere', 'elsewhere']);
    await pause(1000);
    expect(runs).toEqual([]);
    expect(reasons).toEqual(['elsewhere', 'elsewhere']);
    // Four claims, and at most as many attempts by each of the two as fit into ten seconds.
    expect(client && (await callsOf(client)).get('evalsha')).toBeLessThan(4 + 2 * 45);
    await lock?.release();
    await Promise.all(firings);
    expect(runs).toEqual([newYear()]);
    expect(reasons).toHaveLength(3);
    expect(reasons).not.toContain('overlap');
  });
});
