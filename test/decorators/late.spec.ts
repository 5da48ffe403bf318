import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';
import { useServer } from '../module/redis.js';
import { Peer } from '../services/peer-process.js';

const server = useServer();
const PERIOD = 3000;
const EVERY_THREE_SECONDS = '*/3 * * * * *';

@Injectable()
class Jobs {
  readonly runs: { tick: number | undefined; at: number }[] = [];
  constructor(readonly redlock: RedlockService) {}

  @Cron(EVERY_THREE_SECONDS, { timeZone: 'UTC' })
  @Exclusive('late')
  async work(): Promise<void> {
    this.runs.push({ tick: this.redlock.current()?.tick?.getTime(), at: Date.now() });
  }
}

/** Keeps the event loop busy from just before a tick until long after it; resolves to the tick. */
async function sleepThroughTick(): Promise<number> {
  const tick = Math.ceil((Date.now() + 500) / PERIOD) * PERIOD;
  await pause(tick - 300 - Date.now());
  while (Date.now() < tick + PERIOD / 2);
  return tick;
}

it('runs a tick for which it is late, as that tick', async () => {
  const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs] });
  const tick = await sleepThroughTick();
  const { runs } = app.get(Jobs);
  await expect.poll(() => runs.map((run) => run.tick)).toContain(tick);
  expect(runs.find((run) => run.tick === tick)?.at).toBeGreaterThanOrEqual(tick + PERIOD / 2);
});

it('does not run what another instance has run while it was late', async () => {
  const peer = await Peer.start({ url: server.it.url, job: 'late', when: EVERY_THREE_SECONDS, work: 5 });
  const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs] });
  const settled: (number | undefined)[] = [];
  app.get(RedlockService).on('skipped', (event) => {
    if (event.reason === 'settled') settled.push(event.tick?.getTime());
  });
  const tick = await sleepThroughTick();
  await expect.poll(() => settled).toContain(tick);
  expect(peer.ticks('finished')).toContain(tick);
  expect(app.get(Jobs).runs.map((run) => run.tick)).not.toContain(tick);
});
