import { Injectable, Module, type Type } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, type JobOptions, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { Gate } from './gate.js';
import { closeAfterTest, closeNow } from '../close-after-test.js';

const at = (time: string): Date => new Date(`2031-05-07T${time}Z`);

/** The store of a fleet that is stopped and started again, and what its instances have done. */
class World {
  now = at('09:30:05').getTime();
  readonly memory = new MemoryNode(() => this.now);
  readonly runs: string[] = [];
  readonly gate = new Gate();

  async deploy(
    time: Date,
    options: JobOptions,
    expression = '0 0 * * * *',
    instances = 2,
  ): Promise<TestFleet> {
    this.now = time.getTime();
    const fleet = await TestFleet.create(this.application(options, expression), {
      instances,
      now: time,
      nodes: this.memory,
    });
    closeAfterTest(fleet);
    await settled();
    return fleet;
  }

  /** A fleet with a memory of its own, on the clock of the fleet. */
  async startOnItsOwn(now: Date, options: JobOptions): Promise<TestFleet> {
    const fleet = await TestFleet.create(this.application(options, '0 0 * * * *'), { now });
    closeAfterTest(fleet);
    return fleet;
  }

  async fire(fleet: TestFleet, time: Date): Promise<void> {
    this.now = time.getTime();
    await fleet.fire('report', time);
  }

  private application(options: JobOptions, expression: string): Type {
    const { runs, gate } = this;
    @Injectable()
    class Jobs {
      constructor(private readonly redlock: RedlockService) {}

      @Cron(expression, { timeZone: 'UTC' })
      @Exclusive('report', options)
      async report(): Promise<void> {
        runs.push(this.redlock.current()?.tick?.toISOString().slice(11, 16) ?? 'none');
        await gate.until;
      }
    }
    @Module({ imports: [ScheduleModule.forRoot(), RedlockModule.forRoot()], providers: [Jobs] })
    class AppModule {}
    return AppModule;
  }
}

/** Lets whatever an instance begins at its start come to an end. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 60));
}

const redlockOf = (fleet: TestFleet, instance = 0): RedlockService =>
  fleet.instances[instance]!.get(RedlockService);

/** A fleet that has run the tick of 10:00, and was stopped. */
async function stopped(options: JobOptions): Promise<World> {
  const world = new World();
  const fleet = await world.deploy(at('09:59:05'), options);
  await world.fire(fleet, at('10:00:00'));
  expect(world.runs).toEqual(['10:00']);
  await closeNow(fleet);
  return world;
}

describe('a missed tick is made up for at the start', () => {
  it('by one instance, once, and it is on record', async () => {
    const world = await stopped({ missed: 'once' });
    const fleet = await world.deploy(at('13:20:00'), { missed: 'once' }, undefined, 3);
    await expect.poll(() => world.runs).toEqual(['10:00', '13:00']);
    await settled();
    const [record] = await redlockOf(fleet).history('report');
    expect(record).toMatchObject({ trigger: 'catch-up', tick: at('13:00:00'), outcome: 'finished' });
    await world.deploy(at('13:21:00'), { missed: 'once' });
    expect(world.runs).toHaveLength(2);
    await world.fire(fleet, at('14:00:00'));
    expect(world.runs).toEqual(['10:00', '13:00', '14:00']);
  });

  it('within the time that is given', async () => {
    const world = await stopped({ missed: { within: '30m' } });
    await world.deploy(at('13:40:00'), { missed: { within: '30m' } });
    expect(world.runs).toEqual(['10:00']);
    await world.deploy(at('14:20:00'), { missed: { within: '30m' } });
    await expect.poll(() => world.runs).toEqual(['10:00', '14:00']);
  });

  it('not by default', async () => {
    const world = await stopped({});
    await world.deploy(at('13:20:00'), {});
    expect(world.runs).toEqual(['10:00']);
  });

  it('not if the job has never run', async () => {
    const world = new World();
    await world.deploy(at('13:20:00'), { missed: 'once' });
    expect(world.runs).toEqual([]);
  });

  it('not if the expression has changed', async () => {
    const world = await stopped({ missed: 'once' });
    await world.deploy(at('13:20:00'), { missed: 'once' }, '0 10 * * * *');
    expect(world.runs).toEqual(['10:00']);
  });

  it('not if `every` left it out, and has been removed', async () => {
    const world = await stopped({ missed: 'once', every: '90m' });
    await world.deploy(at('11:20:00'), { missed: 'once' });
    expect(world.runs).toEqual(['10:00']);
  });

  it('not if a run of it was begun and died', async () => {
    const world = await stopped({ missed: 'once' });
    const fleet = await world.deploy(at('10:30:00'), { missed: 'once' }, undefined, 1);
    world.gate.close();
    void world.fire(fleet, at('11:00:00'));
    await settled();
    // Nothing is settled, as in a process that is killed; long after, the lock and the marker have ended.
    world.gate.until = Promise.resolve();
    world.now = at('11:59:59').getTime() + 900;
    const again = await world.deploy(new Date(world.now), { missed: 'once' });
    world.now = at('12:00:01').getTime();
    for (const each of [0, 1]) await redlockOf(again, each).resume('report');
    await settled();
    expect(world.runs.filter((tick) => tick === '11:00')).toHaveLength(1);
    world.gate.open();
  });
});

it('a tick that found a run in progress is not made up for', async () => {
  const world = new World();
  const fleet = await world.startOnItsOwn(at('09:59:05'), { missed: 'once', ttl: '1m' });
  await fleet.fire('report', at('10:00:00'));
  world.gate.close();
  const run = redlockOf(fleet).trigger('report');
  await fleet.fire('report', at('11:00:00'));
  await fleet.advance('10m');
  world.gate.open();
  await run;
  await redlockOf(fleet).resume('report');
  await settled();
  expect(world.runs).toEqual(['10:00', 'none']);
  // The same job, without a run in the way.
  await redlockOf(fleet).pause('report');
  await fleet.fire('report', at('12:00:00'));
  await redlockOf(fleet).resume('report');
  await expect.poll(() => world.runs).toEqual(['10:00', 'none', '12:00']);
});

describe('a tick that was skipped because the job was paused is made up for', () => {
  const options: JobOptions = { missed: 'once' };

  it('when the job is resumed, also by an instance that does not declare it', async () => {
    const world = new World();
    const fleet = await world.deploy(at('09:59:05'), options);
    await world.fire(fleet, at('10:00:00'));
    await redlockOf(fleet).pause('report');
    await world.fire(fleet, at('11:00:00'));
    expect(world.runs).toEqual(['10:00']);
    await settled();
    const office = await TestFleet.create(RedlockModule.forRoot(), {
      instances: 1,
      now: fleet.now,
      nodes: world.memory,
    });
    closeAfterTest(office);
    await redlockOf(office).resume('report');
    await fleet.advance('10s');
    await settled();
    expect(world.runs).toEqual(['10:00', '11:00']);
  });

  it('however many calls by hand have followed the last tick, if its record is kept', async () => {
    const world = new World();
    const fleet = await world.deploy(at('09:59:05'), options);
    await world.fire(fleet, at('10:00:00'));
    await redlockOf(fleet).pause('report');
    for (let call = 0; call < 40; call++) await redlockOf(fleet).trigger('report');
    await world.fire(fleet, at('11:00:00'));
    await redlockOf(fleet).resume('report');
    await expect.poll(() => world.runs.filter((tick) => tick !== 'none')).toEqual(['10:00', '11:00']);
  });

  it('when its pause ends by itself', { timeout: 20_000 }, async () => {
    const world = new World();
    const fleet = await world.deploy(at('09:59:05'), options);
    await world.fire(fleet, at('10:00:00'));
    world.now = at('10:59:59').getTime();
    await fleet.advance(world.now - fleet.now.getTime());
    await redlockOf(fleet).pause('report', { for: '2s' });
    await world.fire(fleet, at('11:00:00'));
    await settled();
    expect(world.runs).toEqual(['10:00']);
    // The timers of a fleet with nodes of its own take real time.
    world.now = at('11:00:03').getTime();
    await fleet.advance('3s');
    await expect.poll(() => world.runs, { timeout: 5000 }).toEqual(['10:00', '11:00']);
  });
});
