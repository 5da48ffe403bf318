import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { RedlockTelemetryModule } from '../../src/opentelemetry/index.js';
import type { TestFleet } from '../../src/testing/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { Jobs, lasting, NOON, startFleet, work } from './application.js';
import { useSdk } from './sdk.js';

const sdk = useSdk();
const minutes = (count: number): Date => new Date(NOON + count * 60_000);
const fail = (): never => {
  throw new Error('no paper');
};
const YEAR = 366 * 24 * 60 * 60 * 1000;

@Injectable()
class Reports {
  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  report(): void {}
}

/** Counts what it is asked for, and can be out of reach. */
class CountingNode extends MemoryNode {
  calls = 0;
  isDown = false;

  override look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    this.calls++;
    return super.look(...args);
  }

  override async register(...args: Parameters<MemoryNode['register']>): Promise<boolean> {
    this.calls++;
    if (this.isDown) throw new Error('down');
    return super.register(...args);
  }
}

const jobsOf = (fleet: TestFleet): Jobs => fleet.instances[0]!.get(Jobs);

describe('the metrics of runs', () => {
  it('count each run once over the fleet by outcome, and the calls that lose by reason', async () => {
    const fleet = await startFleet(3);
    await fleet.fire('report');
    await fleet.fire('report');
    work.job = fail;
    await fleet.fire('report');
    await fleet.fire('report', fleet.now);
    expect(await sdk.values('runs')).toEqual({
      'job.name=report job.outcome=finished job.trigger=schedule': 2,
      'job.name=report job.outcome=failed job.trigger=schedule': 1,
    });
    expect(await sdk.values('skips')).toEqual({
      'job.name=report job.skip.reason=elsewhere': 6,
      'job.name=report job.skip.reason=settled': 3,
    });
  });

  it('count a run whose signal has aborted as aborted, and none that it did not cut off', async () => {
    const fleet = await startFleet(1, {}, { maxRuntime: '1m' });
    const end = lasting();
    const call = jobsOf(fleet).report();
    await fleet.advance('90s');
    end();
    await call;
    work.job = () => undefined;
    await jobsOf(fleet).report();
    expect(await sdk.values('runs')).toEqual({
      'job.name=report job.outcome=aborted job.trigger=call': 1,
      'job.name=report job.outcome=finished job.trigger=call': 1,
    });
    expect(await sdk.values('run.duration')).toEqual({
      'job.name=report job.outcome=aborted': 90,
      'job.name=report job.outcome=finished': 0,
    });
  });

  it('measure in seconds how long after its tick a run started, and leave calls without a tick out', async () => {
    const fleet = await startFleet(2);
    await fleet.fire('report', new Date(minutes(10).getTime() + 2500));
    await jobsOf(fleet).report();
    expect(await sdk.values('run.start_delay')).toEqual({ 'job.name=report job.trigger=schedule': 2.5 });
  });

  it('measure that for the first attempt of a tick, and count all attempts', async () => {
    const clock = new ManualClock(NOON + 31_000);
    const imports = [RedlockTelemetryModule.forRoot()];
    const redlock = { nodes: new MemoryNode(clock.now) };
    const app = await start({ redlock, providers: [Jobs], imports, clock });
    await fire(app, 'twice');
    await clock.idle();
    expect(await sdk.values('runs')).toEqual({
      'job.name=retried job.outcome=finished job.trigger=schedule': 1,
      'job.name=retried job.outcome=finished job.trigger=call': 1,
    });
    expect(await sdk.values('run.start_delay')).toEqual({ 'job.name=retried job.trigger=schedule': 1 });
  });

  it('count missed ticks by cause', async () => {
    const fleet = await startFleet(1);
    const redlock = fleet.instances[0]!.get(RedlockService);
    const missed = new Promise((resolve) => redlock.on('missed', resolve));
    await fleet.fire('report');
    await redlock.pause('report');
    await fleet.fire('report');
    await fleet.fire('report');
    await redlock.resume('report');
    await fleet.fire('report');
    await missed;
    expect(await sdk.values('missed_ticks')).toEqual({ 'job.name=report job.missed.cause=paused': 2 });
  });

  it.each([
    [undefined, 'Jobs.import(…)', 2],
    [{ tenants: true }, 'import:acme', 1],
  ])('with the options %j, have the label %s for the name import:acme', async (options, label, runs) => {
    const fleet = await startFleet(1, options);
    await jobsOf(fleet).import('acme');
    await jobsOf(fleet).import('globex');
    expect(await sdk.values('runs')).toMatchObject({
      [`job.name=${label} job.outcome=finished job.trigger=call`]: runs,
    });
    const names = Object.keys(await sdk.values('runs')).join();
    expect(names.includes('acme')).toBe(label.includes('acme'));
  });
});

describe('the time since the last success', () => {
  it('grows until a run succeeds, and not only until one ends', async () => {
    const fleet = await startFleet(1);
    await fleet.fire('report');
    await fleet.advance('3m');
    expect(await sdk.values('since_last_success')).toMatchObject({ 'job.name=report': 180 });
    work.job = fail;
    await fleet.fire('report');
    expect(await sdk.values('since_last_success')).toMatchObject({ 'job.name=report': 600 });
    work.job = () => undefined;
    await fleet.fire('report');
    expect(await sdk.values('since_last_success')).toMatchObject({ 'job.name=report': 0 });
  });

  it('of a job that has never succeeded counts from the start', async () => {
    const fleet = await startFleet(1);
    await fleet.advance('3m');
    expect(await sdk.values('since_last_success')).toMatchObject({ 'job.name=report': 180 });
  });

  it('is read from the records by an instance that loses, once a minute at most, and only if there was a run', async () => {
    const clock = new ManualClock(newYear().getTime() + 1000);
    const nodes = new CountingNode(clock.now);
    const winner = await start({ redlock: { nodes }, providers: [Reports], clock });
    await fire(winner, 'report');
    await clock.advance(5000);

    const telemetry = RedlockTelemetryModule.forRoot();
    const loser = await start({ redlock: { nodes }, providers: [Reports], imports: [telemetry], clock });
    await loser.get(Lifecycle, { strict: false }).prepared;
    expect(await sdk.values('since_last_success')).toEqual({ 'job.name=report': 5 });
    await fire(loser, 'report');
    clock.freeze(3_600_000);
    const before = nodes.calls;
    for (let scrapes = 0; scrapes < 3; scrapes++) await sdk.values('since_last_success');
    expect(nodes.calls).toBe(before);

    clock.freeze(YEAR);
    await fire(winner, 'report');
    await fire(loser, 'report');
    for (let scrapes = 0; scrapes < 3; scrapes++) {
      expect(await sdk.values('since_last_success')).toEqual({ 'job.name=report': 0 });
    }
    expect(nodes.calls).toBe(before + 1);
  });

  it('is not told of names that share a label, nor of jobs without records', async () => {
    const fleet = await startFleet(1, {}, { history: 0 });
    await fleet.fire('report');
    await jobsOf(fleet).import('acme');
    expect(await sdk.values('since_last_success')).toEqual({});
  });
});

describe('the metrics of an instance', () => {
  it('tell how many leases it holds, those of locks included', async () => {
    const fleet = await startFleet(1);
    const end = lasting();
    expect(await sdk.values('held_leases')).toEqual({ '': 0 });
    const lock = await fleet.instances[0]!.get(RedlockService).lock('import');
    const call = jobsOf(fleet).report();
    await expect.poll(() => sdk.values('held_leases')).toEqual({ '': 2 });
    await lock?.release();
    end();
    await call;
    expect(await sdk.values('held_leases')).toEqual({ '': 0 });
  });

  it('tell whether each node answers, and how fast, without asking it', async () => {
    const clock = new ManualClock();
    const node = new CountingNode(clock.now);
    await start({ redlock: { nodes: node }, imports: [RedlockTelemetryModule.forRoot()], clock });
    await clock.advance(1);
    const asked = node.calls;
    const address = `node.address=${node.address}`;
    expect(await sdk.values('node.up')).toEqual({ [address]: 1 });
    expect(await sdk.values('node.latency')).toEqual({ [address]: 0 });
    expect(node.calls).toBe(asked);
    node.isDown = true;
    await clock.advance(60_000);
    expect(await sdk.values('node.up')).toEqual({ [address]: 0 });
  });
});
