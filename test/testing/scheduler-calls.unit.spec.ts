import { Injectable, Module, type Provider, Scope } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { CronTime } from 'cron';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';
import { at } from './application.js';

const TEN_MINUTES = '0 */10 * * * *';

@Injectable()
class Jobs {
  private readonly ends: (() => void)[] = [];

  @Cron(TEN_MINUTES, { name: 'report' }) @Exclusive('report') async report(): Promise<void> {}
  @Interval('poll', 5000) @Exclusive('poll') async poll(): Promise<void> {}
  @Cron(TEN_MINUTES, { disabled: true }) @Exclusive('disabled') async disabled(): Promise<void> {}
  @Cron(TEN_MINUTES, { name: 'delayed', initialDelay: 3_600_000 })
  @Exclusive('delayed')
  async delayed(): Promise<void> {}

  @Cron(TEN_MINUTES, { waitForCompletion: true })
  @Exclusive('waits')
  async waits(): Promise<void> {
    await new Promise<void>((end) => this.ends.push(end));
  }

  get inProgress(): number {
    return this.ends.length;
  }

  endAll(): void {
    for (const end of this.ends.splice(0)) end();
  }
}

@Injectable({ scope: Scope.REQUEST })
class OfRequests {
  @Cron(TEN_MINUTES) @Exclusive('of a request') async run(): Promise<void> {}
}

class Export {
  constructor(readonly tenant: string) {}

  @Cron(TEN_MINUTES)
  @Exclusive(function (this: Export) {
    return `export:${this.tenant}`;
  })
  async run(): Promise<string> {
    return this.tenant;
  }
}

async function start(providers: Provider[], instances = 2): Promise<TestFleet> {
  @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers })
  class AppModule {}
  const fleet = await TestFleet.create(AppModule, { instances, now: at('09:30:05') });
  closeAfterTest(fleet);
  return fleet;
}

const registries = (fleet: TestFleet): SchedulerRegistry[] =>
  fleet.instances.map((instance) => instance.get(SchedulerRegistry));
const firedOn = (runs: { instance: number }[]): number[] => runs.map(({ instance }) => instance);

describe('no firing is made of a job that no scheduler would fire:', () => {
  it.each(['of a request', 'disabled', 'delayed'])('%s', async (job) => {
    const fleet = await start([Jobs, OfRequests]);
    await expect(fleet.fire(job)).rejects.toThrow(
      'is not scheduled: check that ScheduleModule.forRoot() is among',
    );
    expect(fleet.now).toEqual(at('09:30:05'));
  });

  it('stopped or deleted everywhere', async () => {
    const fleet = await start([Jobs]);
    for (const registry of registries(fleet)) void registry.getCronJob('report').stop();
    await expect(fleet.fire('report')).rejects.toThrow('Jobs.report is not scheduled');
    for (const registry of registries(fleet)) registry.getCronJob('report').start();
    expect(await fleet.fire('report')).toHaveLength(2);
    for (const registry of registries(fleet)) registry.deleteCronJob('report');
    await expect(fleet.fire('report')).rejects.toThrow('Jobs.report is not scheduled');
    for (const registry of registries(fleet)) registry.deleteInterval('poll');
    await expect(fleet.fire('poll')).rejects.toThrow('Jobs.poll is not scheduled');
  });

  it('a spy that the scheduler finds on the prototype, unlike one on the object', async () => {
    onTestFinished(() => void vi.restoreAllMocks());
    vi.spyOn(Jobs.prototype, 'report');
    const fleet = await start([Jobs]);
    await expect(fleet.fire('report')).rejects.toThrow('its prototype has no spy');
    vi.restoreAllMocks();
    const later = await start([Jobs], 1);
    const spy = vi.spyOn(later.instances[0]!.get(Jobs), 'report');
    expect(await later.fire('report')).toMatchObject([{ ran: true }]);
    expect(spy).toHaveBeenCalledTimes(1);
  });

  it('one that is started where it should fire', async () => {
    const fleet = await start([Jobs]);
    await expect(fleet.fire('delayed')).rejects.toThrow('Jobs.delayed is not scheduled');
    registries(fleet)[1]!.getCronJob('delayed').start();
    expect(await fleet.fire('delayed')).toMatchObject([{ instance: 1, ran: true }]);
  });
});

describe('an instance is left out of a firing', () => {
  it.each<[how: string, change: (fleet: TestFleet) => unknown]>([
    ['if the job is stopped there', (fleet) => registries(fleet)[0]!.getCronJob('report').stop()],
    ['if the job is deleted there', (fleet) => registries(fleet)[0]!.deleteCronJob('report')],
    ['if it is closed', (fleet) => fleet.instances[0]!.close()],
  ])('%s', async (_how, change) => {
    const fleet = await start([Jobs], 3);
    await change(fleet);
    expect(firedOn(await fleet.fire('report'))).toEqual([1, 2]);
  });

  it('if it does not declare the job', async () => {
    @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
    class AppModule {}
    const fleet = await TestFleet.create(AppModule, {
      override: (app, instance) => instance === 0 && app.overrideProvider(Jobs).useValue({}),
    });
    closeAfterTest(fleet);
    expect(await fleet.fire('report')).toMatchObject([{ instance: 1, ran: true }]);
  });

  it('while its previous call is in progress, with waitForCompletion', async () => {
    const fleet = await start([Jobs], 3);
    const jobs = fleet.instances[0]!.get(Jobs);
    const first = fleet.fire('waits');
    await expect.poll(() => jobs.inProgress).toBe(1);
    expect(await fleet.fire('waits')).toMatchObject([
      { instance: 1, reason: 'overlap' },
      { instance: 2, reason: 'overlap' },
    ]);
    jobs.endAll();
    expect(firedOn(await first)).toEqual([0, 1, 2]);
    const last = fleet.fire('waits');
    const all = fleet.instances.map((instance) => instance.get(Jobs));
    await expect.poll(() => all.some(({ inProgress }) => inProgress > 0)).toBe(true);
    for (const each of all) each.endAll();
    expect(firedOn(await last)).toEqual([0, 1, 2]);
  });
});

describe('several objects of a class', () => {
  const exports = ['north', 'south'].map((tenant) => ({
    provide: `EXPORT_${tenant}`,
    useFactory: () => new Export(tenant),
  }));

  it('are fired by the names of their jobs', async () => {
    const fleet = await start(exports, 1);
    expect(await fleet.fire('export:south')).toMatchObject([{ ran: true, value: 'south' }]);
    expect(await fleet.fire('export:north', fleet.now)).toMatchObject([{ ran: true, value: 'north' }]);
  });

  it('are not told apart by their class', async () => {
    const fleet = await start(exports, 1);
    await expect(fleet.fire('Export.run')).rejects.toThrow(
      'TestFleet.fire(): job must be the name of one of the jobs of this method: "export:north", "export:south"; ' +
        'received "Export.run"',
    );
  });

  it('need no name if there is one object', async () => {
    const fleet = await start(exports.slice(1), 1);
    expect(await fleet.fire('Export.run')).toMatchObject([{ ran: true, value: 'south' }]);
  });
});

describe('a cron job', () => {
  it('stays active when it is given another time, and fires at that', async () => {
    const fleet = await start([Jobs]);
    for (const registry of registries(fleet)) {
      registry.getCronJob('report').setTime(new CronTime('0 45 * * * *'));
      expect(registry.getCronJob('report').isActive).toBe(true);
    }
    expect(await fleet.fire('report')).toMatchObject([{ ran: true }, { reason: 'elsewhere' }]);
    expect(fleet.now).toEqual(at('09:45:00'));
  });

  it('that a firing is of is the one whose end ends the jobs that it calls', async () => {
    @Injectable()
    class Loop {
      constructor(private readonly redlock: RedlockService) {}

      @Cron(TEN_MINUTES, { name: 'loop' })
      @Exclusive('loop')
      async loop(): Promise<void> {
        await this.redlock.run('called', () => {});
      }
    }
    const fleet = await start([Loop], 1);
    await fleet.fire('loop');
    const redlock = fleet.instances[0]!.get(RedlockService);
    expect(redlock.preview('called', 1)).toEqual([at('09:50:00')]);
    void registries(fleet)[0]!.getCronJob('loop').stop();
    expect(redlock.preview('called', 1)).toEqual([]);
  });
});

it('a fleet without RedlockModule has no jobs', async () => {
  @Module({ imports: [ScheduleModule.forRoot()] })
  class Empty {}
  const fleet = await TestFleet.create(Empty);
  closeAfterTest(fleet);
  await expect(fleet.fire('report')).rejects.toThrow('unknown job "report" (known jobs: none)');
});
