import { Injectable, Module } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  Exclusive,
  MemoryNode,
  RedlockModule,
  type RedlockModuleOptions,
  RedlockService,
} from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { build, byHand, close, fire, ONCE_A_YEAR, start } from '../module/application.js';

class Jobs {
  runs = 0;
  /** Called in each run of `outer`. */
  during = async (): Promise<void> => {};

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<void> {
    this.runs++;
  }

  @Exclusive('outer')
  async outer(isInner = false): Promise<string> {
    if (isInner) return 'inner';
    await this.during();
    return this.outer(true);
  }
}

class Wrong {
  @Exclusive('wrong', { ttl: 1 })
  async wrong(): Promise<void> {}
}

let jobs: Jobs;
let nodes: MemoryNode;
beforeEach(() => {
  jobs = new Jobs();
  nodes = new MemoryNode();
});

/** What happened to the jobs of each instance, such as `first started`. */
const events: string[] = [];

async function startOne(instanceId: string, options: RedlockModuleOptions = {}, provider?: typeof Jobs) {
  events.length = 0;
  const app = await start({
    redlock: { nodes, instanceId, ...options },
    providers: [provider ?? { provide: Jobs, useFactory: () => jobs }],
  });
  const redlock = app.get(RedlockService);
  redlock.on('started', () => events.push(`${instanceId} started`));
  redlock.on('skipped', ({ reason }) => events.push(`${instanceId} ${reason}`));
  return app;
}

describe('an object of two applications', () => {
  it('runs each tick in the application whose scheduler fired', async () => {
    const apps = [await startOne('first'), await startOne('second')];
    for (const app of apps) await fire(app, 'report');
    expect(events).toEqual(['first started', 'second settled']);
  });

  it.each<[string, number]>([
    ['first', 0],
    ['second', 1],
  ])('runs on after the %s one was closed', async (_which, closed) => {
    const apps = [await startOne('first'), await startOne('second')];
    const [left] = apps.toSpliced(closed, 1) as [TestingModule];
    await close(apps[closed]!);
    await fire(left, 'report');
    await jobs.report();
    const id = ['second', 'first'][closed];
    expect(events).toEqual([`${id} started`, `${id} started`]);
  });

  it('runs on after the one was closed that has created it', async () => {
    const first = await startOne('first', {}, Jobs);
    jobs = first.get(Jobs);
    const second = await startOne('second');
    await close(first);
    await fire(second, 'report');
    await jobs.report();
    expect(events).toEqual(['second started', 'second started']);
  });

  it('runs nothing after both were closed', async () => {
    const apps = [await startOne('first'), await startOne('second')];
    for (const app of apps) await close(app);
    await jobs.report();
    expect(events).toEqual(['second shutdown']);
  });

  it.each([
    ['first', true],
    ['second', false],
  ])('is guarded where it should be if the %s one is not enabled', async (_which, isFirst) => {
    const [one, other] = [
      await startOne('first', { enabled: !isFirst }),
      await startOne('second', { enabled: isFirst }),
    ];
    const [enabled, id] = isFirst ? [other, 'second'] : [one, 'first'];
    for (let times = 0; times < 2; times++) await fire(enabled, 'report');
    expect(jobs.runs).toBe(1);
    expect(events).toEqual([`${id} started`, `${id} settled`]);
    await jobs.report();
    expect(events.at(-1)).toBe(`${id} started`);
  });

  it('is called by the one whose trigger() was called', async () => {
    const apps = [await startOne('first'), await startOne('second')];
    for (const app of apps) await app.get(RedlockService).trigger('report');
    expect(events).toEqual(['first started', 'second started']);
  });

  it('can call itself in a run, though another application has started meanwhile', async () => {
    await startOne('first');
    jobs.during = async () => void (await startOne('second'));
    expect(await jobs.outer()).toBe('inner');
  });

  it('runs nothing in the one that failed to start', async () => {
    await startOne('first');
    const shared = { provide: Jobs, useValue: jobs };
    const failing = await build({ redlock: { nodes, instanceId: 'second' }, providers: [shared, Wrong] });
    await expect(failing.init()).rejects.toThrow('ttl');
    await jobs.report();
    expect(events).toEqual(['first started']);
  });
});

it('an object of all instances of a TestFleet runs each tick on one of them, and is skipped on the other', async () => {
  @Module({
    imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()],
    providers: [{ provide: Jobs, useValue: jobs }],
  })
  class AppModule {}
  const fleet = await TestFleet.create(AppModule);
  const seen: string[] = [];
  for (const [index, app] of fleet.instances.entries()) {
    app.get(RedlockService).on('started', () => seen.push(`started on ${index}`));
    app.get(RedlockService).on('skipped', () => seen.push(`skipped on ${index}`));
  }
  await fleet.fire('report', fleet.now);
  expect(seen.toSorted()).toEqual(['skipped on 1', 'started on 0']);
  await fleet.close();
});

/** A feature with a job, whose import is for this feature alone. */
function feature(name: string, options: RedlockModuleOptions, call = async (): Promise<void> => {}) {
  @Injectable()
  class Job {
    @Exclusive(name) async run(): Promise<void> {
      await call();
    }
  }
  const redlock = RedlockModule.forRoot({ nodes, isGlobal: false, instanceId: name, ...options });
  @Module({ imports: [redlock], providers: [Job] })
  class Feature {
    constructor(redlockOfFeature: RedlockService) {
      redlockOfFeature.on('started', (event) => events.push(`${event.instanceId} runs ${event.name}`));
    }
  }
  return { Feature, Job };
}

describe('of several imports in one application', () => {
  beforeEach(() => void events.splice(0));

  it('the one of its feature guards a job, also in a run of another', async () => {
    const inner = feature('inner', {});
    const outer = feature('outer', {}, () => app.get(inner.Job, { strict: false }).run());
    const app = await start({ redlock: null, imports: [inner.Feature, outer.Feature] });
    await app.get(outer.Job, { strict: false }).run();
    expect(events).toEqual(['outer runs outer', 'inner runs inner']);
  });

  it('the one of its feature does not guard it if that is switched off', async () => {
    const [off, on] = [feature('off', { enabled: false }), feature('on', {})];
    const app = await start({ redlock: null, imports: [off.Feature, on.Feature] });
    await app.get(off.Job, { strict: false }).run();
    await app.get(on.Job, { strict: false }).run();
    expect(events).toEqual(['on runs on']);
  });
});
