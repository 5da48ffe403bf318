import { randomUUID } from 'node:crypto';
import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { RedlockModule } from '../../src/index.js';
import { clientOf, useServer } from '../module/redis.js';
import { Jobs, Ledger, startFleet } from './application.js';

const server = useServer();
const settled = { ran: false, reason: 'settled' };

it('a fleet on Redis runs each tick once, and no other fleet runs it again', async () => {
  const nodes = server.it.url;
  const keyPrefix = randomUUID();
  @Module({
    imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ keyPrefix })],
    providers: [Jobs, Ledger],
  })
  class OnRedis {}
  const { fleet, ledger } = await startFleet({ nodes, now: new Date(), instances: 3 }, OnRedis);
  for (let ticks = 0; ticks < 3; ticks++) {
    const runs = await fleet.fire('Jobs.everySecond');
    expect(runs.filter((run) => run.ran)).toHaveLength(1);
  }
  expect(ledger.entries).toHaveLength(3);
  expect(await clientOf(server.it).keys(`*${keyPrefix}*`)).toContain(`{${keyPrefix}_Jobs.everySecond}:last`);
  const another = await startFleet({ nodes, now: fleet.now }, OnRedis);
  expect(await another.fleet.fire('Jobs.everySecond', fleet.now)).toMatchObject([settled, settled]);
});
