import { type DynamicModule, Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { sleep } from '../../src/clock.js';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { RedlockTelemetryModule } from '../../src/opentelemetry/index.js';
import { KnownJobs } from '../../src/services/known-jobs.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, start } from '../module/application.js';
import { useSdk } from './sdk.js';

const THREE = Date.UTC(2031, 4, 7, 3);
const MINUTE = 60_000;

/** A node that can refuse all claims, and that cannot read the records of jobs named "broken". */
class FailingNode extends MemoryNode {
  isDown = false;
  reads = 0;

  override async claim(...args: Parameters<MemoryNode['claim']>): ReturnType<MemoryNode['claim']> {
    if (this.isDown) throw new Error('down');
    return super.claim(...args);
  }

  override async look(...args: Parameters<MemoryNode['look']>): ReturnType<MemoryNode['look']> {
    this.reads++;
    if (args[0].lock.includes('broken')) throw new Error('WRONGTYPE');
    return super.look(...args);
  }
}

@Injectable()
class Jobs {
  @Cron('0 */10 * * * *', byHand('report'))
  @Exclusive('report', { recover: true, onStoreDown: 'run' })
  async report(): Promise<void> {
    await work();
  }

  /** Tries again after five minutes, as a decorator above `@Exclusive` can. */
  @Cron('0 0 3 * * *', byHand('again'))
  async again(): Promise<void> {
    await this.attempt().catch(() => sleep(clock, 5 * MINUTE).then(() => this.attempt()));
  }

  @Exclusive('again')
  async attempt(): Promise<void> {
    await work();
  }
}

const sdk = useSdk();
let work: () => unknown;
let clock: ManualClock;
let node: FailingNode;
/** An instance without telemetry, and one with it. */
let other: TestingModule;
let measured: TestingModule;

const startInstance = (imports: DynamicModule[] = []) =>
  start({ clock, redlock: { nodes: node }, providers: [Jobs], imports });
const fail = (): never => {
  throw new Error('no paper');
};
const fires = (app: TestingModule, job = 'report') => clock.until(fire(app, job).catch(() => undefined));
const seconds = async (job = 'report') => (await sdk.values('since_last_success'))[`job.name=${job}`];

beforeEach(async () => {
  clock = new ManualClock(THREE);
  node = new FailingNode(clock.now);
  work = fail;
  other = await startInstance();
  measured = await startInstance([RedlockTelemetryModule.forRoot()]);
  await clock.idle();
});

/** Another instance and the measured one fire at three; the run fails, and the measured instance knows of it. */
async function failAtThree(): Promise<void> {
  await fires(other);
  await fires(measured);
  await clock.advance(2 * MINUTE);
  expect(await seconds()).toBe(120);
}

describe('a success on another instance is noticed within a minute', () => {
  it('by hand, after a tick that failed', async () => {
    await failAtThree();
    await clock.advance(5 * MINUTE);
    work = () => undefined;
    await other.get(RedlockService).trigger('report');
    await clock.advance(MINUTE);
    expect(await seconds()).toBe(60);
  });

  it('by hand, before the measured instance has seen a tick', async () => {
    await other
      .get(RedlockService)
      .trigger('report')
      .catch(() => undefined);
    await clock.advance(MINUTE);
    expect(await seconds()).toBe(60);
    work = () => undefined;
    await other.get(RedlockService).trigger('report');
    await clock.advance(MINUTE);
    expect(await seconds()).toBe(60);
  });

  it('in the second attempt at a tick', async () => {
    const retried = fire(other, 'again');
    await clock.idle();
    await fires(measured, 'again');
    await clock.advance(2 * MINUTE);
    expect(await seconds('again')).toBe(120);
    work = () => undefined;
    await clock.advance(3 * MINUTE);
    await retried;
    await clock.advance(MINUTE);
    expect(await seconds('again')).toBe(60);
  });

  it('in a takeover that lasts longer than the time between two reads', async () => {
    const keys = new JobKeys('JOB_LOCKER', 'report');
    const { lock, last, begun, records } = keys;
    const dead = { runId: 'dead', trigger: 'schedule' as const, calledAt: THREE, tick: THREE };
    await node.claim(
      {
        lock,
        tick: { key: keys.tick(THREE), last, at: THREE, keep: MINUTE, recover: true },
        history: { begun, records, limit: 50, keep: 24 * 60 * MINUTE },
      },
      tokensOf('dead')(describeRun(dead)),
      1000,
    );
    await clock.advance(2 * MINUTE);
    expect(await seconds()).toBe(120);
    work = () => sleep(clock, 5 * MINUTE);
    await startInstance();
    await clock.advance(2 * MINUTE);
    expect(await seconds()).toBe(240);
    await clock.advance(4 * MINUTE);
    expect(await seconds()).toBe(60);
  });
});

it('a success without a quorum is not forgotten when the records, which lack it, are read', async () => {
  work = () => undefined;
  await fires(other);
  await fires(measured);
  await clock.advance(10 * MINUTE);
  expect(await seconds()).toBe(600);
  node.isDown = true;
  await fires(measured);
  node.isDown = false;
  await clock.advance(10 * MINUTE);
  work = fail;
  await fires(other);
  await fires(measured);
  await clock.advance(MINUTE);
  const reads = node.reads;
  expect(await seconds()).toBe(660);
  expect(node.reads).toBeGreaterThan(reads);
});

it('jobs that are read again and again do not keep the others waiting', async () => {
  const jobs = measured.get(KnownJobs, { strict: false });
  const { options } = jobs.get('report')!;
  for (let count = 0; count < 150; count++) {
    jobs.declare({ name: `job ${count}`, options }, MINUTE).progress = THREE;
  }
  await seconds();
  await clock.advance(MINUTE);
  expect(await seconds('job 149')).toBe(60);
});

it('jobs that cannot be read do not keep the others waiting, and are tried again after a minute', async () => {
  const jobs = measured.get(KnownJobs, { strict: false });
  const { options } = jobs.get('report')!;
  for (let count = 0; count < 120; count++) jobs.declare({ name: `broken ${count}`, options }, MINUTE);
  jobs.declare({ name: 'readable', options }, MINUTE);
  await seconds();
  await clock.advance(MINUTE / 2);
  expect(await seconds('readable')).toBe(30);
  const { reads } = node;
  expect(await seconds('broken 0')).toBeUndefined();
  expect(node.reads).toBe(reads);
  await clock.advance(MINUTE / 2);
  await seconds();
  expect(node.reads).toBeGreaterThan(reads);
});

it('the value for a tenant that has left does not grow', async () => {
  const tenants = new Set(['north', 'south']);

  @Injectable()
  class Imports {
    @Cron('0 0 * * * *', byHand('imports'))
    async all(): Promise<void> {
      for (const tenant of tenants) await this.import(tenant);
    }

    @Exclusive((tenant: string) => `import:${tenant}`)
    async import(_tenant: string): Promise<void> {}
  }

  const telemetry = RedlockTelemetryModule.forRoot({ tenants: true });
  const app = await start({ clock, redlock: { nodes: node }, providers: [Imports], imports: [telemetry] });
  await fires(app, 'imports');
  await clock.advance(60 * MINUTE);
  expect([await seconds('import:north'), await seconds('import:south')]).toEqual([3600, 3600]);
  tenants.delete('north');
  await fires(app, 'imports');
  await clock.advance(60 * MINUTE);
  await fires(app, 'imports');
  // The SDK goes on exporting the value that it was last given.
  expect([await seconds('import:north'), await seconds('import:south')]).toEqual([3600, 0]);
});
