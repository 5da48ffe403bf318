import { Injectable, Module, type Type } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  Exclusive,
  type JobOptions,
  MemoryNode,
  type MissedEvent,
  RedlockModule,
  RedlockService,
} from '../../src/index.js';
import { TestFleet, type TestFleetOptions } from '../../src/testing/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { claimOf } from '../nodes/support.js';
import { closeAfterTest, closeNow } from '../close-after-test.js';
import { Gate } from './gate.js';

const at = (time: string): Date => new Date(`2031-05-07T${time}Z`);

/** A job once a minute. */
function application(gate: Gate, options: JobOptions): Type {
  @Injectable()
  class Jobs {
    @Cron('0 * * * * *', { timeZone: 'UTC' })
    @Exclusive('report', options)
    async report(): Promise<void> {
      await gate.until;
    }

    @Cron('0 0 * * 1', { timeZone: 'UTC' })
    @Exclusive('weekly')
    async weekly(): Promise<void> {}
  }
  @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
  class AppModule {}
  return AppModule;
}

interface Started {
  fleet: TestFleet;
  redlock: RedlockService;
  gate: Gate;
  /** What the events say, as `cause first-last count`. */
  missed: string[];
}

async function startFleet(
  options: JobOptions = {},
  instances = 2,
  more: TestFleetOptions = { now: at('09:30:05') },
): Promise<Started> {
  const gate = new Gate();
  const fleet = await TestFleet.create(application(gate, options), { instances, ...more });
  closeAfterTest(fleet);
  const missed: string[] = [];
  const note = ({ name, cause, from, to, count }: MissedEvent): void =>
    void missed.push(`${name} ${cause} ${shown(from)}-${shown(to)} ${count}`);
  for (const app of fleet.instances) app.get(RedlockService).on('missed', note);
  return { fleet, gate, missed, redlock: fleet.instances[0]!.get(RedlockService) };
}

const shown = (date: Date): string => date.toISOString().slice(11, 16);

describe('the instance that wins a tick', () => {
  it('notices nothing at the first run of a job, and while each tick runs', async () => {
    const { fleet, missed } = await startFleet();
    for (let tick = 0; tick < 5; tick++) await fleet.fire('report');
    expect(missed).toEqual([]);
  });

  it('notices the ticks at which no instance fired', async () => {
    const { fleet, missed } = await startFleet();
    await fleet.fire('report', at('09:31:00'));
    const runs = await fleet.fire('report', at('09:35:00'));
    expect(missed).toEqual(['report unknown 09:32-09:34 3']);
    expect(runs.flatMap((run) => run.missed ?? [])).toMatchObject([{ cause: 'unknown', count: 3 }]);
    expect(runs.filter((run) => run.missed)).toHaveLength(1);
    await fleet.fire('report');
    expect(missed).toHaveLength(1);
  });

  it('notices the ticks of a paused job, and who paused it is in its status', async () => {
    const { fleet, missed, redlock } = await startFleet();
    await fleet.fire('report');
    await redlock.pause('report');
    await fleet.fire('report');
    await fleet.fire('report');
    await redlock.resume('report');
    await fleet.fire('report');
    expect(missed).toEqual(['report paused 09:32-09:33 2']);
  });

  it('notices the ticks that found a run in progress', async () => {
    const { fleet, gate, missed } = await startFleet({ ttl: '10m' });
    gate.close();
    const first = fleet.fire('report', at('09:31:00'));
    await fleet.fire('report', at('09:32:00'));
    await fleet.fire('report', at('09:33:00'));
    gate.open();
    await first;
    await fleet.fire('report', at('09:34:00'));
    expect(missed).toEqual(['report overlap 09:32-09:33 2']);
  });

  it('notices a tick of a weekly job, a week later', async () => {
    const fleet = await startFleet({}, 2, { now: new Date('2031-05-04T23:00:00Z') });
    await fleet.fleet.fire('weekly', new Date('2031-05-05T00:00:00Z'));
    await fleet.fleet.fire('weekly', new Date('2031-05-19T00:00:00Z'));
    expect(fleet.missed).toEqual(['weekly unknown 00:00-00:00 1']);
  });

  it('reports them once, although the next runs overlap', async () => {
    const { fleet, gate, missed, redlock } = await startFleet({ overlap: 'allow', ttl: '10m' });
    await fleet.fire('report', at('09:31:00'));
    await redlock.pause('report');
    await fleet.fire('report', at('09:32:00'));
    await fleet.fire('report', at('09:33:00'));
    await redlock.resume('report');
    gate.close();
    const runs = ['09:34:00', '09:35:00', '09:36:00'].map((time) => fleet.fire('report', at(time)));
    await vi.waitFor(() => expect(missed).toEqual(['report paused 09:32-09:33 2']));
    gate.open();
    await Promise.all(runs);
    await fleet.fire('report', at('09:37:00'));
    expect(missed).toEqual(['report paused 09:32-09:33 2']);
  });

  it.each<[string, JobOptions]>([
    ['runs may overlap', { overlap: 'allow', ttl: '10m' }],
    ['of `every`', { every: '150s' }],
  ])('invents nothing if a tick is not settled because %s', async (_why, options) => {
    const { fleet, gate, missed } = await startFleet(options);
    await fleet.fire('report', at('09:31:00'));
    if (options.overlap) gate.close();
    const first = fleet.fire('report', at('09:32:00'));
    const second = fleet.fire('report', at('09:33:00'));
    const third = fleet.fire('report', at('09:34:00'));
    gate.open();
    await Promise.all([first, second, third]);
    await fleet.fire('report', at('09:35:00'));
    expect(missed).toEqual([]);
  });

  it('invents nothing after a deployment that changes the expression', async () => {
    const gate = new Gate();
    let now = at('09:30:05').getTime();
    const memory = new MemoryNode(() => now);
    const missed: MissedEvent[] = [];
    const deploy = async (expression: string, time: Date): Promise<TestFleet> => {
      @Injectable()
      class Jobs {
        @Cron(expression, { timeZone: 'UTC' })
        @Exclusive('report')
        async report(): Promise<void> {
          await gate.until;
        }
      }
      @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
      class AppModule {}
      now = time.getTime();
      const fleet = await TestFleet.create(AppModule, { instances: 2, now: time, nodes: memory });
      closeAfterTest(fleet);
      for (const app of fleet.instances) app.get(RedlockService).on('missed', (event) => missed.push(event));
      return fleet;
    };
    const fire = async (fleet: TestFleet, time: Date): Promise<void> => {
      now = time.getTime();
      expect((await fleet.fire('report', time)).filter(({ ran }) => ran)).toHaveLength(1);
    };
    const hourly = await deploy('0 0 * * * *', at('09:30:05'));
    await fire(hourly, at('10:00:00'));
    const each = await deploy('0 * * * * *', at('10:30:05'));
    await fire(each, at('10:31:00'));
    expect(missed).toEqual([]);
    // From then on, ticks of the new schedule are missed.
    await fire(each, at('10:33:00'));
    expect(missed).toMatchObject([{ cause: 'unknown', from: at('10:32:00'), count: 1 }]);
    // The same schedule after a restart: the ticks in between are missed.
    const again = await deploy('0 * * * * *', at('10:36:05'));
    await fire(again, at('10:37:00'));
    expect(missed[1]).toMatchObject({ cause: 'unknown', from: at('10:34:00'), count: 3 });
  });

  it.each<JobOptions>([{ every: '10m' }, { overlap: 'allow' }, { onStoreDown: 'run' }])(
    'invents nothing after a deployment that removes %o',
    async (options) => {
      let now = at('09:30:05').getTime();
      const nodes = new MemoryNode(() => now);
      const before = await startFleet(options, 1, { now: new Date(now), nodes });
      now = at('09:31:00').getTime();
      await before.fleet.fire('report', at('09:31:00'));
      now = at('09:34:05').getTime();
      const { fleet } = await startFleet({}, 1, { now: new Date(now), nodes });
      const fire = async (time: Date): Promise<unknown> => {
        now = time.getTime();
        return (await fleet.fire('report', time))[0]?.missed;
      };
      expect(await fire(at('09:35:00'))).toBeUndefined();
      expect(await fire(at('09:37:00'))).toMatchObject([
        { cause: 'unknown', from: at('09:36:00'), count: 1 },
      ]);
    },
  );
});

it.each([
  [40, 50],
  [3, 5],
])(
  'the ticks before a deployment are missed, also if %i calls have followed it, of %i that are kept',
  async (calls, history) => {
    let now = at('09:30:05').getTime();
    const nodes = new MemoryNode(() => now);
    const deploy = (time: Date): Promise<Started> => {
      now = time.getTime();
      return startFleet({ history }, 1, { now: time, nodes });
    };
    const before = await deploy(at('09:30:05'));
    now = at('09:31:00').getTime();
    await before.fleet.fire('report', at('09:31:00'));
    await closeNow(before.fleet);
    const { fleet, missed, redlock } = await deploy(at('09:34:05'));
    for (let call = 0; call < calls; call++) await redlock.trigger('report');
    now = at('09:35:00').getTime();
    await fleet.fire('report', at('09:35:00'));
    await expect.poll(() => missed).toEqual(['report unknown 09:32-09:34 3']);
  },
);

it('each tick is reported once, although every run dies', async () => {
  let now = at('09:30:05').getTime();
  const nodes = new MemoryNode(() => now);
  const missed: string[] = [];
  const gates: Gate[] = [];
  const restart = async (time: string): Promise<Started> => {
    now = at(time).getTime();
    const restarted = await startFleet({}, 1, { now: new Date(now - 5000), nodes });
    gates.push(restarted.gate);
    return restarted;
  };
  await (await restart('09:31:00')).fleet.fire('report', at('09:31:00'));
  for (const time of ['09:33:00', '09:34:00', '09:36:00']) {
    const restarted = await restart(time);
    restarted.gate.close();
    void restarted.fleet.fire('report', at(time));
    await expect.poll(() => restarted.missed.length).toBeGreaterThan(0);
    missed.push(...restarted.missed);
  }
  expect(missed).toEqual([
    'report unknown 09:32-09:32 1',
    'report died 09:33-09:33 1',
    'report died 09:34-09:34 1',
    'report unknown 09:35-09:35 1',
  ]);
  for (const gate of gates) gate.open();
});

it('ticks are reported although a minority has granted one of them, and has got no release', async () => {
  let now = at('09:30:05').getTime();
  const nodes = Array.from({ length: 3 }, () => new MemoryNode(() => now));
  const fireAt = async (fleet: TestFleet, time: string): Promise<void> => {
    now = at(time).getTime();
    await fleet.fire('report', at(time));
  };
  const { fleet, missed } = await startFleet({}, 1, { now: new Date(now), nodes });
  await fireAt(fleet, '09:31:00');
  now = at('09:34:00').getTime();
  const { begun, records } = new JobKeys('JOB_LOCKER', 'report');
  const claim = { ...claimOf('report', now), history: { begun, records, limit: 50, keep: 3_600_000 } };
  expect(await nodes[0]!.claim(claim, `gone#run/0/${now}/${now}/1`, 1000)).toMatchObject({ kind: 'granted' });
  now += 1000;
  await fireAt(fleet, '09:36:00');
  await expect.poll(() => missed).toEqual(['report unknown 09:32-09:35 4']);
});

describe('the ticks of a pause that outlasts a deployment', () => {
  let now = 0;
  let memory: MemoryNode;
  let deployed: Started | undefined;
  const deploy = async (time: string): Promise<void> => {
    now = at(time).getTime();
    if (deployed) await closeNow(deployed.fleet);
    deployed = await startFleet({}, 1, { now: at(time), nodes: memory });
  };
  const fire = async (...times: string[]): Promise<void> => {
    for (const time of times) {
      now = at(time).getTime();
      await deployed?.fleet.fire('report', at(time));
    }
  };
  beforeEach(async () => {
    memory = new MemoryNode(() => now);
    deployed = undefined;
    await deploy('09:30:05');
    await fire('09:31:00');
  });

  it('are told from those at which no instance was up', async () => {
    await fire('09:32:00');
    await deployed?.redlock.pause('report');
    await fire('09:33:00', '09:34:00');
    await deploy('09:35:05');
    await fire('09:36:00');
    await deployed?.redlock.resume('report');
    await deploy('09:38:05');
    await deployed?.redlock.resume('report');
    await fire('09:39:00');
    expect(deployed?.missed).toEqual(['report paused 09:33-09:36 4', 'report unknown 09:37-09:38 2']);
  });

  it('also if it was paused again meanwhile, and the pause has ended by itself', async () => {
    await deployed?.redlock.pause('report');
    await fire('09:32:00', '09:33:00');
    await deployed?.redlock.pause('report', { for: '90s', note: 'longer' });
    await deploy('09:33:05');
    expect((await deployed?.redlock.status('report'))?.paused).toMatchObject({
      at: at('09:33:00'),
      since: at('09:31:00'),
    });
    await fire('09:34:00');
    await deploy('09:36:05');
    await fire('09:37:00');
    expect(deployed?.missed).toEqual(['report paused 09:32-09:34 3', 'report unknown 09:35-09:36 2']);
  });
});
