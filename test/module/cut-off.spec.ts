/** What docs/guarantees.md says about instances that are cut off from a majority of the nodes. */
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { expect, it, onTestFinished } from 'vitest';
import { Exclusive, RedlockService, type SkipReason } from '../../src/index.js';
import { TcpProxy } from '../nodes/tcp-proxy.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start, startFleet } from './application.js';
import { clientOf, useServers } from './redis.js';

const servers = useServers(3);

@Injectable()
class Jobs {
  readonly runs: string[] = [];

  @Cron(ONCE_A_YEAR, byHand('first'))
  @Exclusive('first')
  first(): void {
    this.runs.push('first');
  }

  @Cron(ONCE_A_YEAR, byHand('second'))
  @Exclusive('second')
  second(): void {
    this.runs.push('second');
  }
}

// A standstill of the machine can let the other instance come first.
it(
  'three instances that are cut off can cost a tick if they ask the first node first; the next tick runs',
  { retry: 2 },
  async () => {
    await Promise.all(servers.map((server) => clientOf(server).flushall()));
    const [lead, ...others] = servers;
    const proxies = await Promise.all(others.map(({ port }) => TcpProxy.to(port)));
    onTestFinished(async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))));
    const throughProxies = [lead!.url, ...proxies.map(({ port }) => `redis://127.0.0.1:${port}`)];
    const cutOff = await startFleet(3, { redlock: { nodes: throughProxies }, providers: [Jobs] });
    const connected = await start({ redlock: { nodes: servers.map(({ url }) => url) }, providers: [Jobs] });
    const fleet = [...cutOff, connected];
    const skipped = fleet.map(reasonsOf);
    for (const proxy of proxies) proxy.swallow = 'everything';

    /** Lets the job fire on those that are cut off, and on the other one once all of them have asked the first node. */
    const fireLate = async (job: string, losers: number): Promise<void> => {
      const firings = cutOff.map((app) => fire(app, job));
      const counter = `{JOB_LOCKER_${job}}:losers:${newYear().getTime()}`;
      await expect.poll(() => clientOf(lead!).get(counter), { interval: 10 }).toBe(String(losers));
      await Promise.all([...firings, fire(connected, job)]);
    };
    await fireLate('first', 2);
    expect(fleet.flatMap((app) => app.get(Jobs).runs)).toEqual([]);
    expect(skipped).toEqual([...cutOff.map(() => ['store-down']), ['elsewhere']]);

    await Promise.all(fleet.map((app) => fire(app, 'second')));
    expect(fleet.map((app) => app.get(Jobs).runs)).toEqual([[], [], [], ['second']]);
  },
);

/** Why an instance skips its ticks from now on. */
function reasonsOf(app: TestingModule): SkipReason[] {
  const reasons: SkipReason[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  return reasons;
}
