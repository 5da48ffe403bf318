import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { startFleet } from '../module/application.js';
import { useServers } from '../module/redis.js';

const servers = useServers(5);

/** Each run: its tick, and the instance. */
let runs: { readonly tick: number; readonly by: Jobs }[];

/** A run is in progress when the next tick of the other job is due, and has ended when that of its own is. */
const WORK = 1200;

@Injectable()
class Jobs {
  constructor(private readonly redlock: RedlockService) {}

  @Cron('*/2 * * * * *')
  @Exclusive('even')
  async even(): Promise<void> {
    await this.work();
  }

  @Cron('1/2 * * * * *')
  @Exclusive('odd')
  async odd(): Promise<void> {
    await this.work();
  }

  private async work(): Promise<void> {
    runs.push({ tick: this.redlock.current()?.fencingToken ?? 0, by: this });
    await pause(WORK);
  }
}

describe.each([1, 5])('on %d nodes', (count) => {
  it('an instance that is still busy with a tick leaves the next one to another, and none is lost', async () => {
    runs = [];
    const nodes = servers.slice(0, count).map(({ url }) => url);
    await startFleet(3, { redlock: { nodes, keyPrefix: `NODES_${count}` }, providers: [Jobs] });
    await pause(4500);
    const ticks = runs.map(({ tick }) => tick);
    expect(ticks.length).toBeGreaterThanOrEqual(4);
    expect(ticks).toEqual(ticks.map((_tick, index) => (ticks[0] ?? 0) + index * 1000));
    for (const [index, { by }] of runs.entries()) expect(by).not.toBe(runs[index - 1]?.by);
  });
});
