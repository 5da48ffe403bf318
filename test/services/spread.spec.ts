import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { startFleet } from '../module/application.js';
import { useServer } from '../module/redis.js';

const server = useServer();
const SPREAD = 600;
/** The offsets of the jobs, by their hashes. */
const OFFSETS = { report: 552, import: 359 };

const starts: { readonly name: string; readonly tick: number; readonly late: number }[] = [];

@Injectable()
class Jobs {
  constructor(readonly redlock: RedlockService) {}

  @Cron('* * * * * *', { waitForCompletion: true })
  @Exclusive('report', { spread: SPREAD })
  async report(): Promise<void> {
    this.note();
  }

  @Cron('* * * * * *', { waitForCompletion: true })
  @Exclusive('import', { spread: SPREAD })
  async import(): Promise<void> {
    this.note();
  }

  private note(): void {
    const { name = '', fencingToken } = this.redlock.current() ?? {};
    const tick = fencingToken ?? 0;
    starts.push({ name, tick, late: Date.now() - tick });
  }
}

it('jobs of one second run once each, in every second, none before its offset', async () => {
  await startFleet(3, { redlock: { nodes: server.it.url }, providers: [Jobs] });
  await pause(4000);
  for (const name of ['report', 'import'] as const) {
    const runs = starts.filter((start) => start.name === name);
    const ticks = runs.map(({ tick }) => tick);
    expect(ticks.length).toBeGreaterThanOrEqual(3);
    expect(ticks).toEqual(ticks.map((_tick, index) => (ticks[0] ?? 0) + index * 1000));
    expect(Math.min(...runs.map(({ late }) => late))).toBeGreaterThanOrEqual(OFFSETS[name] - 2);
  }
});
