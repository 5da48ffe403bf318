import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, type Type } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, type JobOptions, RedlockService } from '../../src/index.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';
import { clientOf, useServer } from '../module/redis.js';
import { callsOf } from '../nodes/support.js';

const server = useServer();
let client: Redis;
beforeEach(async () => {
  client = clientOf(server.it);
  await client.flushall();
});

const TTL = 2000;
/** How long a run takes, in milliseconds; it can be ended early. */
let work = 0;
const MARKER = `{JOB_LOCKER_job}:tick:${newYear().getTime()}`;

interface JobsOf {
  readonly runs: Date[];
  most: number;
}

/** How many runs are in progress, over both versions. */
let going = 0;

/** One version of an application. */
function version(options: JobOptions, when = ONCE_A_YEAR): Type<JobsOf> {
  @Injectable()
  class Jobs implements JobsOf {
    readonly runs: Date[] = [];
    most = 0;
    constructor(readonly redlock: RedlockService) {}

    @Cron(when, byHand('job'))
    @Exclusive('job', options)
    async job(): Promise<void> {
      this.runs.push(this.redlock.current()?.tick ?? new Date(0));
      this.most = Math.max(this.most, ++going);
      await pause(work, undefined, { signal: this.redlock.current()?.signal }).catch(() => {});
      going--;
    }
  }
  return Jobs;
}

interface Instance {
  readonly app: TestingModule;
  readonly jobs: JobsOf;
  readonly reasons: string[];
  readonly lost: Error[];
}

async function instanceOf(Jobs: Type<JobsOf>): Promise<Instance> {
  const app = await start({
    redlock: { nodes: server.it.url, ttl: TTL, shutdownTimeout: 1 },
    providers: [Jobs],
  });
  const reasons: string[] = [];
  const lost: Error[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  app.get(RedlockService).on('aborted', ({ error }) => lost.push(error));
  return { app, jobs: app.get(Jobs), reasons, lost };
}

/** An instance of the old version and one of the new. */
async function sideBySide(from: JobOptions, to: JobOptions): Promise<[Instance, Instance]> {
  going = 0;
  return [await instanceOf(version(from)), await instanceOf(version(to))];
}

const CHANGES: [string, JobOptions, JobOptions][] = [
  ['recover, switched on', {}, { recover: true }],
  ['recover, switched off', { recover: true }, {}],
  ['a shorter ttl', { ttl: 20_000 }, { ttl: 1500 }],
  ['a longer ttl', { ttl: 1500 }, { ttl: 20_000 }],
  ['a limit of the runtime', {}, { maxRuntime: '1m' }],
  ['overlap, allowed', {}, { overlap: 'allow' }],
  ['overlap, no longer allowed', { overlap: 'allow' }, {}],
  ['overlap, buffered', {}, { overlap: 'buffer-one' }],
  ['every, added', {}, { every: '1h' }],
  ['every, shortened', { every: '1h' }, { every: '1s' }],
  ['onStoreDown', {}, { onStoreDown: 'run' }],
  ['spread', {}, { spread: '1m' }],
];

describe('an option that changes in a rolling update', () => {
  it.each(CHANGES)('leaves one run for each tick: %s', async (_what, from, to) => {
    for (const [first, second] of [
      [0, 1],
      [1, 0],
    ] as const) {
      await client.flushall();
      work = 700;
      const both = await sideBySide(from, to);
      const run = fire(both[first].app, 'job');
      await expect.poll(() => both[first].jobs.runs.length).toBe(1);
      // While it goes on, and when it is over.
      for (let times = 0; times < 2; times++) await fire(both[second].app, 'job');
      await run;
      for (const { app } of both) await fire(app, 'job');
      expect(both.flatMap(({ jobs }) => jobs.runs)).toEqual([newYear()]);
      expect(both.flatMap(({ lost }) => lost)).toEqual([]);
      expect(both[second].reasons.at(-1)).toBe('settled');
    }
  });
});

describe('recover, switched on in a rolling update', () => {
  it('takes nothing over from a live run of the old version, in the last second of its marker or later', async () => {
    work = 4000;
    const [old, fresh] = await sideBySide({}, { recover: true });
    const run = fire(old.app, 'job');
    await expect.poll(() => old.jobs.runs.length).toBe(1);
    // As after a minute, or a period.
    await client.pexpire(MARKER, 900);
    await fire(fresh.app, 'job');
    await expect.poll(() => client.exists(MARKER), { interval: 20 }).toBe(0);
    await fire(fresh.app, 'job');
    await pause(TTL);
    expect(fresh.jobs.runs).toEqual([]);
    expect(fresh.reasons).toEqual(['elsewhere', 'overlap']);
    await run;
    expect(old.lost).toEqual([]);
    await fire(fresh.app, 'job');
    expect(fresh.reasons.at(-1)).toBe('settled');
  });

  it('does not wait for the marker of a monthly job, and so asks for nothing all the time', async () => {
    work = 1500;
    const [old, fresh] = await sideBySide({}, { recover: true });
    const run = fire(old.app, 'job');
    await expect.poll(() => old.jobs.runs.length).toBe(1);
    await fire(fresh.app, 'job');
    await client.config('RESETSTAT');
    await pause(1000);
    expect((await callsOf(client)).get('evalsha') ?? 0).toBeLessThan(5);
    await run;
  });

  it('leaves a tick of the old version that died as it was: run', async () => {
    work = 60_000;
    const [old, fresh] = await sideBySide({}, { recover: true });
    void fire(old.app, 'job');
    await expect.poll(() => old.jobs.runs.length).toBe(1);
    // As though its instance had died.
    await client.del('JOB_LOCKER_job');
    await fire(fresh.app, 'job');
    expect(fresh.reasons).toEqual(['elsewhere']);
    await pause(TTL + 1500);
    expect(fresh.jobs.runs).toEqual([]);
  });
});
