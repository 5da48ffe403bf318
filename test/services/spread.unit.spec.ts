import { Injectable, Module, SetMetadata, type Type } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, Timeout } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { CronJob, CronTime } from 'cron';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Duration,
  Exclusive,
  InvalidOptionError,
  type JobOptions,
  MemoryNode,
  RedlockModule,
  type RedlockModuleOptions,
  RedlockService,
} from '../../src/index.js';
import { CLOCK } from '../../src/redlock.module-definition.js';
import { CronFiring, fire as inFiring, IntervalFiring } from '../../src/schedule/firing.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { timingOf } from '../../src/runs/claim-timing.js';
import type { ResolvedOptions } from '../../src/options/options.js';
import { type CurrentRun, RunScope } from '../../src/runs/run-context.js';
import type { NodeReport } from '../../src/nodes/lock-node.js';
import type { RunRequest } from '../../src/runs/run-request.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { TestFleet } from '../../src/testing/index.js';
import { build, byHand, close, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';

const SPREAD = 30_000;
/** The offset of the job, by its hash: instances of all versions must agree on it. */
const OFFSET = 26_952;

/** Its clock is that of the instances, although that is not the clock of the process. */
class SharedMemory extends MemoryNode {
  override async open(): Promise<NodeReport> {
    return { ...(await super.open()), clockOffset: 0 };
  }
}

let clock: ManualClock;
let nodes: MemoryNode;
beforeEach(() => {
  clock = new ManualClock(newYear().getTime());
  nodes = new SharedMemory(clock.now);
});

interface JobsOf {
  readonly runs: { readonly at: number; readonly tick: Date | null | undefined }[];
  job(): Promise<void>;
}

function jobsOf(schedule: MethodDecorator, options: JobOptions, name = 'report'): Type<JobsOf> {
  @Injectable()
  class Jobs implements JobsOf {
    readonly runs: { at: number; tick: Date | null | undefined }[] = [];
    constructor(readonly redlock: RedlockService) {}

    @schedule
    @Exclusive(name, options)
    async job(): Promise<void> {
      this.runs.push({ at: clock.elapsed(), tick: this.redlock.current()?.tick });
    }
  }
  return Jobs;
}

const yearly = Cron(ONCE_A_YEAR, byHand('report'));

interface Instance {
  readonly app: TestingModule;
  readonly runs: JobsOf['runs'];
  readonly reasons: string[];
  readonly job: () => Promise<void>;
}

async function instanceOf(Jobs: Type<JobsOf>, options: RedlockModuleOptions = {}): Promise<Instance> {
  const app = await start({ redlock: { nodes, ...options }, providers: [Jobs], clock });
  const reasons: string[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  const jobs = app.get(Jobs);
  return { app, runs: jobs.runs, reasons, job: () => jobs.job() };
}

describe('a tick whose claims are spread', () => {
  it('is not overdue before its offset', async () => {
    const hourly = Cron('0 0 * * * *', { ...byHand('report'), timeZone: 'UTC' });
    const { app } = await instanceOf(jobsOf(hourly, { spread: SPREAD }));
    // It must know the job from the beginning.
    await app.get(Lifecycle).prepared;
    const overdueBy = async () => (await clock.until(app.get(RedlockService).status('report'))).overdueBy;
    await clock.advance(60 * 60_000 + OFFSET);
    expect(await overdueBy()).toBeNull();
    await clock.advance(SPREAD - OFFSET + 1000);
    expect(await overdueBy()).toBe(SPREAD + 1000);
  });

  it('runs once, at the offset of its job on all instances, and keeps its time', async () => {
    const claim = vi.spyOn(nodes, 'claim');
    const Jobs = jobsOf(yearly, { spread: SPREAD });
    const [a, b] = [await instanceOf(Jobs), await instanceOf(Jobs)];
    const firings = [fire(a.app, 'report'), fire(b.app, 'report')];
    await clock.advance(OFFSET - 1);
    expect(claim).not.toHaveBeenCalled();
    await clock.advance(1);
    await Promise.all(firings);
    expect(a.runs).toEqual([{ at: OFFSET, tick: newYear() }]);
    expect(b.runs).toEqual([]);
    expect(b.reasons).toEqual(['settled']);
  });

  it('keeps the promise of the scheduler pending meanwhile', async () => {
    const { app, runs } = await instanceOf(jobsOf(yearly, { spread: SPREAD }));
    let isOver = false;
    const firing = fire(app, 'report').then(() => void (isOver = true));
    await clock.advance(OFFSET - 1);
    expect(isOver).toBe(false);
    await clock.until(firing);
    expect(runs).toHaveLength(1);
  });

  it('does not wait again if its timer is late: only until the offset', async () => {
    const { app, runs } = await instanceOf(jobsOf(yearly, { spread: SPREAD }));
    await clock.advance(20_000);
    await clock.until(fire(app, 'report'));
    expect(runs).toEqual([{ at: OFFSET, tick: newYear() }]);
  });

  it('runs at once if it is made up for by hand, later', async () => {
    const { app, runs } = await instanceOf(jobsOf(yearly, { spread: SPREAD }));
    await clock.advance(3_600_000);
    await fire(app, 'report');
    expect(runs).toEqual([{ at: 3_600_000, tick: newYear() }]);
  });

  it('is left to the other instances by a shutdown, which does not wait', async () => {
    const Jobs = jobsOf(yearly, { spread: SPREAD });
    const [a, b] = [await instanceOf(Jobs), await instanceOf(Jobs)];
    const firings = [fire(a.app, 'report'), fire(b.app, 'report')];
    await clock.advance(OFFSET - 5000);
    await close(a.app);
    expect(a.reasons).toEqual(['shutdown']);
    await clock.until(Promise.all(firings));
    expect(a.runs).toEqual([]);
    expect(b.runs).toEqual([{ at: OFFSET, tick: newYear() }]);
  });

  it('of an interval may be spread over more than `every`, and is not due before the interval is over', async () => {
    const { app, job } = await instanceOf(jobsOf(Interval(60_000), { every: 10_000, spread: SPREAD }));
    await app.get(Lifecycle).prepared;
    const overdueBy = async () => (await clock.until(app.get(RedlockService).status('report'))).overdueBy;
    const firing = new IntervalFiring(60_000, clock.now(), app.get<ManualClock>(CLOCK));
    await clock.until(inFiring(firing, job));
    await clock.advance(60_000 + SPREAD);
    expect(await overdueBy()).toBeNull();
    await clock.advance(1000);
    expect(await overdueBy()).toBe(SPREAD + 1000);
  });

  it('of an interval is claimed at the offset after it fired', async () => {
    const Jobs = jobsOf(Interval(60_000), { spread: SPREAD });
    const { app, runs, job } = await instanceOf(Jobs);
    await clock.advance(1000);
    const firing = new IntervalFiring(60_000, clock.now(), app.get<ManualClock>(CLOCK));
    await clock.until(inFiring(firing, job));
    expect(runs).toEqual([{ at: 1000 + OFFSET, tick: null }]);
  });
});

describe('the wait before a claim', () => {
  const tick = { at: newYear().getTime(), next: newYear().getTime() + 60_000, keep: 60_000 };
  const options = { ...resolveOptions({ nodes: 'memory' }).job, every: undefined };
  const request = { name: 'report', options, spread: SPREAD, tick };
  const at = (late: number, changes: Partial<RunRequest> = {}, prefix = 'JOB_LOCKER') =>
    timingOf(prefix, { ...request, ...changes }, tick.at + late, []).delay;

  it.each<[string, number | undefined, number]>([
    ['lasts until the offset of the job', at(0), OFFSET],
    ['is as much shorter as the timer was late', at(20_000), OFFSET - 20_000],
    ['is over when the offset has passed', at(OFFSET + 1), 0],
    ['is no longer where the timer was early', at(-5), OFFSET],
    ['differs for another name', at(0, { name: 'import' }), 11_959],
    ['differs for another prefix', at(0, {}, 'SHOP'), 9524],
    ['is shorter with a shorter spread', at(0, { spread: 1000 }), 952],
    ['is none with a spread of 1 ms', at(0, { spread: 1 }), 0],
    ['is none without a spread', at(0, { spread: undefined }), 0],
    ['is none before a takeover', at(0, { past: 'perhaps begun' }), 0],
    ['is none before a second call in a firing', at(0, { past: 'run here' }), 0],
  ])('%s', (_what, delay, expected) => {
    expect(delay).toBe(expected);
  });

  it('ends with the shutdown, although the claim is made inside a run', () => {
    const outer = [new RunScope({} as CurrentRun, {} as ResolvedOptions, undefined)];
    const isNested = (spread?: number) =>
      timingOf('JOB_LOCKER', { ...request, spread }, tick.at, outer).isNested;
    expect(isNested(SPREAD)).toBe(false);
    expect(isNested()).toBe(true);
  });

  it('spreads a thousand jobs evenly', () => {
    const buckets = Array.from({ length: 30 }, () => 0);
    for (let job = 0; job < 1000; job++) {
      const second = Math.floor((at(0, { name: `job-${job}` }) ?? 0) / 1000);
      buckets[second] = (buckets[second] ?? 0) + 1;
    }
    expect(Math.min(...buckets)).toBeGreaterThan(15);
    expect(Math.max(...buckets)).toBeLessThan(60);
  });
});

describe('a spread that is not shorter than the period', () => {
  const minutely = Cron('* * * * *', byHand('report'));

  it.each<[string, MethodDecorator, string]>([
    ['a cron job', minutely, 'must be shorter than the period of the schedule, which is taken as 60000 ms'],
    ['an interval', Interval(60_000), 'must be shorter than the period of the schedule'],
    ['a timeout', Timeout(60_000), 'has no effect on an @Timeout method'],
  ])('is refused at start where %s sets it', async (_what, schedule, problem) => {
    const app = await build({ redlock: { nodes }, providers: [jobsOf(schedule, { spread: '1m' })], clock });
    await expect(app.init()).rejects.toThrow(InvalidOptionError);
    await expect(app.init()).rejects.toThrow(`@Exclusive on Jobs.job: spread ${problem}`);
  });

  it('is accepted where it is a millisecond shorter', async () => {
    await expect(instanceOf(jobsOf(minutely, { spread: 59_999 }))).resolves.toBeDefined();
  });

  it('is refused at start for a job whose name depends on the arguments, too', async () => {
    @Injectable()
    class Jobs {
      @minutely
      @Exclusive(() => 'report', { spread: '1m' })
      async job(): Promise<void> {}
    }
    const app = await build({ redlock: { nodes }, providers: [Jobs], clock });
    await expect(app.init()).rejects.toThrow('spread must be shorter');
  });

  it('leaves the jobs alone where the module sets it, and spreads the others', async () => {
    const often = await instanceOf(jobsOf(minutely, {}), { spread: '1m' });
    await clock.until(fire(often.app, 'report'));
    expect(often.runs).toMatchObject([{ at: 0 }]);
    const seldom = await instanceOf(jobsOf(yearly, {}, 'import'), { spread: SPREAD });
    await clock.until(fire(seldom.app, 'report'));
    expect(seldom.runs).toMatchObject([{ at: 11_959 }]);
  });

  it('is refused at the call by run(), in a firing or with its job', async () => {
    const { app, runs } = await instanceOf(jobsOf(yearly, {}));
    const redlock = app.get(RedlockService);
    const call = (options: JobOptions, job?: CronJob) => redlock.run('sync', () => 1, { ...options, job });
    const job = CronJob.from({ cronTime: '* * * * *', onTick: () => {} });
    await expect(call({ spread: '1m' }, job)).rejects.toThrow('run(): spread must be shorter');
    await expect(clock.until(call({ spread: '59s' }, job))).resolves.toMatchObject({ ran: true });
    const ticks = new CronTicks(job.cronTime);
    const inTick = (spread: Duration) =>
      inFiring(new CronFiring(job, ticks, clock.now(), clock), () => call({ spread }));
    await expect(inTick('1m')).rejects.toThrow(InvalidOptionError);
    expect(runs).toEqual([]);
  });

  it('is refused at the call of a method that a shorter schedule calls', async () => {
    const { app, job, runs } = await instanceOf(jobsOf(SetMetadata('no', 'schedule'), { spread: '1m' }));
    const ticks = new CronTicks(new CronTime('* * * * *'));
    const firing = new CronFiring({}, ticks, clock.now(), app.get<ManualClock>(CLOCK));
    await expect(inFiring(firing, job)).rejects.toThrow('@Exclusive on Jobs.job: spread must be shorter');
    expect(runs).toEqual([]);
  });

  it('costs nothing where it is not set: the schedule is not even parsed', async () => {
    const { app } = await instanceOf(jobsOf(yearly, {}));
    const period = vi.spyOn(CronTicks.prototype, 'period', 'get');
    await fire(app, 'report');
    expect(period).not.toHaveBeenCalled();
    period.mockRestore();
  });
});

describe('a fleet of a test', () => {
  it('moves its clock as far as a claim waits', async () => {
    const Jobs = jobsOf(Cron('0 */10 * * * *', { name: 'report' }), { spread: SPREAD });

    @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
    class AppModule {}

    const fleet = await TestFleet.create(AppModule, { now: new Date('2031-05-07T09:30:05Z') });
    const runs = await fleet.fire('report');
    expect(runs.map(({ ran }) => ran)).toEqual([true, false]);
    expect(fleet.now.toISOString()).toBe('2031-05-07T09:40:26.952Z');
    const [first] = fleet.instances;
    expect(first?.get(Jobs).runs[0]?.tick).toEqual(new Date('2031-05-07T09:40:00Z'));
    await fleet.close();
  });
});

describe('a call that belongs to no tick', () => {
  it('does not wait', async () => {
    const { runs, job } = await instanceOf(jobsOf(yearly, { spread: SPREAD }));
    await job();
    expect(runs).toEqual([{ at: 0, tick: null }]);
  });
});
