import { Injectable } from '@nestjs/common';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import type { CronJob } from 'cron';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { CatchUp } from '../../src/services/catch-up.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { start } from '../module/application.js';
import { claimOf } from '../nodes/support.js';

const MINUTE = 60_000;

class Exporter {
  constructor(readonly region: string) {}

  @Cron('*/10 * * * *', { timeZone: 'UTC', waitForCompletion: true })
  @Exclusive(
    function (this: Exporter) {
      return `export:${this.region}`;
    },
    { ttl: '30s', missed: 'once', recover: true },
  )
  export(): void {}
}

let clock: ManualClock;
let node: MemoryNode;
let app: TestingModule;
let runs: string[];
let north: CronJob;
let south: CronJob;
beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  node = new MemoryNode(clock.now);
  runs = [];
  @Injectable()
  class Log {
    constructor(redlock: RedlockService) {
      redlock.on('started', ({ name, tick, trigger }) =>
        runs.push(`${name} ${tick?.toISOString().slice(11, 16)} ${trigger}`),
      );
    }
  }
  const exporters = ['north', 'south'].map((region) => ({
    provide: region,
    useFactory: () => new Exporter(region),
  }));
  app = await start({ redlock: { nodes: node }, clock, providers: [Log, ...exporters] });
  await clock.idle();
  [north, south] = [...app.get(SchedulerRegistry).getCronJobs().values()] as [CronJob, CronJob];
  for (const job of [north, south]) await clock.until(job.fireOnTick());
  runs.length = 0;
});

describe('of two objects of a class', () => {
  it.each(['north', 'south'])(
    'the cron job of %s starts again, and a tick is made up for',
    async (region) => {
      const [stopped, other] = region === 'north' ? [north, south] : [south, north];
      void stopped.stop();
      await clock.advance(10 * MINUTE);
      await clock.until(other.fireOnTick());
      runs.length = 0;
      await clock.advance(5 * MINUTE);
      stopped.start();
      await clock.advance(MINUTE);
      expect(runs).toEqual([`export:${region} 10:10 catch-up`]);
    },
  );

  it.each<[what: string, look: () => unknown]>([
    ['the cron job of the other starts', () => north.start()],
    ['all jobs are looked at', () => (north.start(), app.get(CatchUp).look())],
  ])('no tick of one whose cron job is stopped is made up for when %s', async (_what, look) => {
    for (const job of [north, south]) void job.stop();
    await clock.advance(10 * MINUTE);
    await node.claim(claimOf('export:south', clock.now(), { recover: true }), 'dead#run/0/0//1', 30_000);
    await clock.advance(5 * MINUTE);
    look();
    await clock.advance(MINUTE);
    expect(runs).toEqual([]);
    south.start();
    await clock.advance(MINUTE);
    expect(runs.toSorted()).toEqual(['export:north 10:10 catch-up', 'export:south 10:10 recover']);
  });
});
