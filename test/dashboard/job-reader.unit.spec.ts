import { Logger } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { JobReader } from '../../src/dashboard/job-reader.js';
import type { JobDetail, Overview, ShownJob } from '../../src/dashboard/page-data.js';
import type { FleetInstance, RunRecord } from '../../src/dashboard/redlock-data.js';
import { NodeUnreachableError, StoreDownError } from '../../src/errors.js';
import { type FakeJob, FakeRedlock } from './fake-redlock.js';
import { dailyJob, infoOf, recordOf } from './records.js';

const T = Date.UTC(2026, 5, 1, 12);

function readerOf(redlock: FakeRedlock): JobReader {
  const reader = new JobReader({ get: () => redlock } as unknown as ModuleRef);
  reader.onModuleInit();
  return reader;
}

/** Moves the clock until the promise is settled. */
async function inTime<T>(promise: Promise<T>): Promise<T> {
  const state = { isSettled: false };
  void promise.finally(() => {
    state.isSettled = true;
  });
  while (!state.isSettled) await vi.advanceTimersByTimeAsync(50);
  return promise;
}
const overviewOf = async (reader: JobReader, since = ''): Promise<Overview> =>
  JSON.parse(await inTime(reader.overview(since, false))) as Overview;
const namesOf = ({ jobs }: Overview): string[] => jobs.map(([, { name }]) => name);
const viewOf = ({ jobs }: Overview, name: string): ShownJob | undefined =>
  jobs.find(([, job]) => job.name === name)?.[1];

const instanceWith = (...names: string[]): FleetInstance => ({
  instanceId: 'w',
  host: 'h',
  pid: 1,
  version: '1',
  startedAt: new Date(T),
  clockOffset: 0,
  nodes: [],
  jobs: names.map((name) => ({ name, declaredAs: 'Jobs.a()', fingerprint: '1' })),
});

const instance = (
  instanceId: string,
  minutesUp: number,
  nodes: string[],
  fingerprint: string,
): FleetInstance => ({
  ...instanceWith(),
  instanceId,
  startedAt: new Date(T - minutesUp * 60_000),
  nodes,
  jobs: [{ name: 'report', declaredAs: 'Jobs.a()', fingerprint }],
});

const differing = (detail: JobDetail | undefined) =>
  detail?.declarations?.map(({ instanceId, differs }) => [instanceId, differs]);

describe('the reader of the dashboard', () => {
  let redlock: FakeRedlock;
  let reader: JobReader;
  const job = (name: string, known: FakeJob = dailyJob(name, [])): void =>
    void redlock.known.set(name, known);
  const asked = (what: string): number => redlock.asked.filter((one) => one.startsWith(what)).length;

  beforeEach(() => {
    vi.useFakeTimers({ now: T, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    redlock = new FakeRedlock();
    reader = readerOf(redlock);
  });
  afterEach(() => vi.useRealTimers());

  it('asks nothing while nobody looks', async () => {
    job('report');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(redlock.asked).toEqual([]);
  });

  it('reads each job once per refresh for all viewers', async () => {
    job('report');
    await inTime(
      Promise.all(
        Array.from({ length: 50 }, () =>
          Promise.all([reader.overview('', false), reader.job('report'), reader.fleet()]),
        ),
      ),
    );
    expect(redlock.asked.toSorted()).toEqual(['fleet', 'history report', 'status report']);
    await vi.advanceTimersByTimeAsync(2900);
    await overviewOf(reader);
    expect(redlock.asked).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(200);
    await overviewOf(reader);
    expect(redlock.asked).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(6000);
    await overviewOf(reader);
    expect(asked('fleet')).toBe(2);
  });

  it('reads a thousand jobs a hundred in a second, and shows all of them before', async () => {
    for (let number = 0; number < 1000; number++) job(`job-${number}`);
    const first = await overviewOf(reader);
    expect(namesOf(first)).toHaveLength(1000);
    expect(first.jobs.filter(([, { status }]) => status).length).toBeLessThanOrEqual(60);
    const before = asked('status');
    for (let polls = 0; polls < 5; polls++) {
      await vi.advanceTimersByTimeAsync(200);
      void reader.overview('', false);
    }
    expect(asked('status') - before).toBeLessThanOrEqual(120);
    await vi.advanceTimersByTimeAsync(9000);
    expect(asked('status')).toBe(1000);
    expect((await overviewOf(reader)).jobs.every(([, { status }]) => status)).toBe(true);
  });

  it('shows fewer runs of each job the more jobs there are', async () => {
    const records = Array.from({ length: 200 }, (_one, index) =>
      recordOf({ tick: new Date(T - index * 60_000) }),
    );
    for (let number = 0; number < 400; number++)
      job(`job-${number}`, { ...dailyJob(`job-${number}`, records) });
    await overviewOf(reader);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(viewOf(await overviewOf(reader), 'job-399')?.runs).toHaveLength(50);
    expect((await inTime(reader.job('job-399')))?.records).toHaveLength(200);
  });

  it('answers with what has changed since its last answer', async () => {
    job('report');
    job('digest');
    const { cursor } = await overviewOf(reader);
    await vi.advanceTimersByTimeAsync(4000);
    expect(namesOf(await overviewOf(reader, `other.7,${cursor}`))).toEqual([]);
    job('report', dailyJob('report', [recordOf({})]));
    await vi.advanceTimersByTimeAsync(4000);
    expect(namesOf(await overviewOf(reader, `${cursor},other.7`))).toEqual(['report']);
    expect(namesOf(await overviewOf(reader, 'other.7'))).toEqual(['report', 'digest']);
  });

  it('keeps what it knows while no node answers, and says since when', async () => {
    job('report', dailyJob('report', [recordOf({})]));
    job('digest');
    await overviewOf(reader);
    redlock.isDown = true;
    await vi.advanceTimersByTimeAsync(4000);
    const down = await overviewOf(reader);
    const since = down.trouble?.since ?? 0;
    expect(since).toBeGreaterThan(T + 3900);
    expect(down.trouble?.message).toContain('StoreDownError');
    expect(viewOf(down, 'report')?.runs).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect((await overviewOf(reader)).trouble?.since).toBe(since);
    expect((await inTime(reader.job('report')))?.records).toHaveLength(1);
    redlock.isDown = false;
    await vi.advanceTimersByTimeAsync(4000);
    expect((await overviewOf(reader)).trouble).toBeNull();
  });

  it('asks for one slice at most while no node answers', async () => {
    for (let number = 0; number < 1000; number++) job(`job-${number}`);
    redlock.isDown = true;
    expect(namesOf(await overviewOf(reader))).toHaveLength(1000);
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked('status')).toBeLessThanOrEqual(20);
  });

  it('shows the other jobs if one cannot be read, and logs why, once', async () => {
    const error = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    onTestFinished(() => error.mockRestore());
    for (const name of ['bad', 'refused']) job(name);
    for (let number = 0; number < 30; number++) job(`job-${number}`);
    redlock.broken.set('bad', new Error('no'));
    const cause = new NodeUnreachableError('10.1.1.1:6379', 'WRONGTYPE', 'lock');
    redlock.broken.set('refused', new StoreDownError('refused', [cause]));
    await overviewOf(reader);
    await vi.advanceTimersByTimeAsync(4000);
    const overview = await overviewOf(reader);
    expect(['bad', 'refused', 'job-29'].map((name) => viewOf(overview, name)?.status?.name)).toEqual([
      undefined,
      undefined,
      'job-29',
    ]);
    expect(overview.trouble).toBeNull();
    await vi.advanceTimersByTimeAsync(4000);
    await overviewOf(reader);
    expect(error.mock.calls).toEqual([['Error: no'], [expect.stringMatching(/"refused".*WRONGTYPE/)]]);
  });

  it('knows the jobs of other instances, and those that had an event, as not declared here', async () => {
    redlock.instances = [instanceWith('elsewhere')];
    redlock.emit('started', { name: 'acme:report' });
    const overview = await overviewOf(reader);
    expect(overview.jobs.map(([, { name, isDeclared }]) => [name, isDeclared])).toEqual([
      ['elsewhere', false],
      ['acme:report', false],
    ]);
    expect(await inTime(reader.job('no such job'))).toBeUndefined();
  });

  it('forgets a job that no instance declares any more, once the register can be read', async () => {
    job('report');
    redlock.instances = [instanceWith('removed', 'kept')];
    redlock.emit('started', { name: 'acme:report' });
    expect(namesOf(await overviewOf(reader))).toHaveLength(4);
    redlock.instances = [instanceWith('kept')];
    redlock.isDown = true;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(namesOf(await overviewOf(reader))).toContain('removed');
    redlock.isDown = false;
    await vi.advanceTimersByTimeAsync(4000);
    expect(namesOf(await overviewOf(reader)).toSorted()).toEqual(['acme:report', 'kept', 'report']);
    expect(await inTime(reader.job('removed'))).toBeUndefined();
  });

  it('knows a job that was acted on, though nobody declares it', async () => {
    await redlock.pause('acme:report');
    await inTime(reader.renew('acme:report'));
    await vi.advanceTimersByTimeAsync(4000);
    expect((await inTime(reader.job('acme:report')))?.job.status?.paused).not.toBeNull();
    expect(namesOf(await overviewOf(reader))).toEqual(['acme:report']);
  });

  it('does not read a pattern', async () => {
    job('Jobs.report(…)', { info: { ...infoOf('Jobs.report(…)', { kind: 'none' }), isPattern: true } });
    expect(namesOf(await overviewOf(reader))).toEqual(['Jobs.report(…)']);
    expect(asked('status')).toBe(0);
  });

  it('remembers ticks that pass without a record, and computes the next ones only when it must', async () => {
    const next = Array.from({ length: 50 }, (_one, index) => new Date(T + (index + 1) * 10_000));
    job('report', {
      info: infoOf('report', { kind: 'cron', expression: '*/10 * * * * *', timeZone: null }),
      next,
    });
    const preview = vi.spyOn(redlock, 'preview');
    for (let polls = 0; polls < 15; polls++) {
      await overviewOf(reader);
      await vi.advanceTimersByTimeAsync(3000);
    }
    const { ticks } = viewOf(await overviewOf(reader), 'report') ?? { ticks: [] };
    expect(ticks.slice(0, 5)).toEqual(next.slice(0, 5).map(Number));
    expect(preview.mock.calls.filter(([, count]) => count === 10)).toHaveLength(1);
  });

  it.each([
    ['an interval', { kind: 'interval', every: 600_000 }, null, [4, 14, 24]],
    ['a cron job with `every`', { kind: 'cron', expression: '* * * * *', timeZone: null }, 3_600_000, [4]],
  ] as const)('counts the times of %s from its last run', async (_of, schedule, every, minutes) => {
    const info = infoOf('report', schedule);
    const nextTick = new Date(T + 4 * 60_000);
    job('report', { info: { ...info, options: { ...info.options, every } }, status: { nextTick } });
    const ticks = viewOf(await overviewOf(reader), 'report')?.ticks;
    expect(ticks?.slice(0, 3)).toEqual(minutes.map((minute) => T + minute * 60_000));
  });

  it('says since when the schedule is the same', async () => {
    const run = (minutes: number, schedule: string | null) =>
      recordOf({ tick: new Date(T + minutes * 60_000), schedule });
    const cases: [records: RunRecord[], since: number | null][] = [
      [[], null],
      [[run(3, 'a'), run(2, null), run(1, 'a')], T + 60_000],
      [[run(4, 'b'), run(3, 'b'), run(2, 'a'), run(1, 'b')], T + 3 * 60_000],
    ];
    for (const [records, since] of cases) {
      redlock.known.set('changing', { records });
      redlock.emit('started', { name: 'changing' });
      await vi.advanceTimersByTimeAsync(4000);
      expect(viewOf(await overviewOf(reader), 'changing')?.sameSince).toBe(since);
    }
  });

  it('says so only of the runs that it sends', async () => {
    const records = Array.from({ length: 200 }, (_one, index) =>
      recordOf({ tick: new Date(T - index * 60_000), schedule: 'a' }),
    );
    for (let number = 0; number < 400; number++)
      job(`job-${number}`, { ...dailyJob(`job-${number}`, records) });
    await overviewOf(reader);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(viewOf(await overviewOf(reader), 'job-399')?.sameSince).toBe(T - 49 * 60_000);
  });

  it('forgets the ticks before the oldest record, which may have been run', async () => {
    const next = Array.from({ length: 50 }, (_one, index) => new Date(T + (index + 1) * 10_000));
    const info = infoOf('report', { kind: 'cron', expression: '*/10 * * * * *', timeZone: null });
    job('report', { info, next });
    await overviewOf(reader);
    await vi.advanceTimersByTimeAsync(35_000);
    job('report', { info, next, records: [recordOf({ tick: next[1] })] });
    await overviewOf(reader);
    await vi.advanceTimersByTimeAsync(3000);
    const { ticks } = viewOf(await overviewOf(reader), 'report') ?? { ticks: [] };
    expect(ticks.slice(0, 2)).toEqual(next.slice(2, 4).map(Number));
  });

  it('explains gaps by the events of this instance, and keeps few of them', async () => {
    job('report');
    const tick = new Date(T);
    redlock.emit('skipped', { name: 'report', tick, reason: 'elsewhere' });
    redlock.emit('skipped', { name: 'report', tick: null, reason: 'overlap' });
    redlock.emit('skipped', { name: 'report', tick, reason: 'overlap' });
    redlock.emit('missed', { name: 'report', from: tick, to: new Date(T + 5), count: 2, cause: 'died' });
    expect(viewOf(await overviewOf(reader), 'report')?.gaps).toEqual([
      [T, T, 1, 'overlap', 'skipped'],
      [T, T + 5, 2, 'died', 'missed'],
    ]);
    for (let count = 0; count < 500; count++) {
      redlock.emit('skipped', { name: 'report', tick: new Date(T + count ** 2), reason: 'paused' });
      redlock.emit('drift', { kind: 'nodes', name: null, message: `drift ${count}`, instances: [] });
    }
    await vi.advanceTimersByTimeAsync(4000);
    expect(viewOf(await overviewOf(reader), 'report')?.gaps).toHaveLength(50);
    const reports = (await inTime(reader.fleet()))?.reports;
    expect([reports?.length, reports?.[0]?.message]).toEqual([20, 'drift 499']);
  });

  it('says what instances disagree on, and whether an update in progress may be why', async () => {
    redlock.instances = [
      instance('new', 1, ['redis:1'], '2'),
      instance('old', 60, ['redis:1'], '1'),
      instance('odd', 30, ['redis:2'], '1'),
    ];
    expect((await inTime(reader.fleet()))?.drift).toEqual([
      {
        kind: 'nodes',
        name: null,
        message: expect.stringContaining('"odd"'),
        instances: ['odd'],
        isLasting: true,
      },
      {
        kind: 'job',
        name: 'report',
        message: expect.stringContaining('"new"'),
        instances: ['new'],
        isLasting: false,
      },
    ]);
    await vi.advanceTimersByTimeAsync(9 * 60_000);
    expect((await inTime(reader.fleet()))?.drift.map(({ isLasting }) => isLasting)).toEqual([true, true]);
  });

  it('says of a job which instances declare it otherwise than the oldest one', async () => {
    job('report');
    const young = { ...instance('web', 1, ['redis:1'], '2'), pid: 2 };
    redlock.instances = [instance('web', 60, ['redis:1'], '1'), instance('old', 30, ['redis:1'], '1'), young];
    expect(differing(await inTime(reader.job('report')))).toEqual([
      ['web', 'no'],
      ['old', 'no'],
      ['web', 'now'],
    ]);
    await vi.advanceTimersByTimeAsync(9 * 60_000);
    expect(differing(await inTime(reader.job('report')))?.[2]).toEqual(['web', 'lasting']);
  });

  it('tells a new disagreement on the nodes from a lasting one on instanceId', async () => {
    redlock.instances = [
      instance('web', 60, ['redis:1'], '1'),
      { ...instance('web', 30, ['redis:1'], '1'), pid: 2 },
      instance('new', 1, ['redis:2'], '1'),
    ];
    expect((await inTime(reader.fleet()))?.drift).toMatchObject([
      { kind: 'nodes', isLasting: false },
      { kind: 'instanceId', isLasting: true },
    ]);
  });

  it('does not take an instance that has been restarted for two', async () => {
    const before = instance('web', 60, ['redis:1'], '1');
    redlock.instances = [before, { ...instance('web', 0, ['redis:1'], '1'), pid: 2 }];
    expect((await inTime(reader.fleet()))?.drift).toEqual([]);
  });

  it('says that there is no quorum, although the instances cannot be listed', async () => {
    redlock.instances = [instance('web-1', 1, ['redis:1'], '1')];
    expect(await inTime(reader.fleet())).toMatchObject({ health: { quorum: true } });
    redlock.isDown = true;
    await vi.advanceTimersByTimeAsync(60_000);
    const view = await inTime(reader.fleet());
    expect(view).toMatchObject({ health: { quorum: false }, fleet: [{ instanceId: 'web-1' }] });
  });

  it('does not let names of events grow without end', async () => {
    for (let count = 0; count < 10_000; count++) redlock.emit('started', { name: `tenant-${count}` });
    expect(namesOf(await overviewOf(reader))).toHaveLength(5000);
  });

  it('reads a job anew after an action', async () => {
    job('report');
    await overviewOf(reader);
    await redlock.pause('report');
    await inTime(reader.renew('report'));
    expect(viewOf(await overviewOf(reader), 'report')?.status?.paused).not.toBeNull();
  });

  it('knows what a job is declared as if the actions on it come before anybody looks', async () => {
    const info = infoOf('report', { kind: 'interval', every: 60_000 });
    job('report', { info });
    for (const action of ['pause', 'resume'] as const) {
      await redlock[action]('report');
      await inTime(reader.renew('report'));
    }
    const { schedule, options } = info;
    const known = { isDeclared: true, schedule, options };
    expect((await inTime(reader.job('report')))?.job).toMatchObject(known);
    expect(viewOf(await overviewOf(reader), 'report')).toMatchObject(known);
  });
});
