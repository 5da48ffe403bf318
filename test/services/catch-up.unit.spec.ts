import { Injectable, type Type } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { Exclusive, type JobOptions, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { Gate } from './gate.js';
import { close, fire, start, startFleet } from '../module/application.js';

const at = (time: string): Date => new Date(`2031-05-07T${time}Z`);
/** How often an instance looks at the jobs that are paused or undecided, in milliseconds. */
const BEAT = 10_000;
const EVERY_FIVE_MINUTES = '0 */5 * * * *';

/** The clock and the store of a fleet that is stopped and started again, and what its instances have done. */
class World {
  readonly clock = new ManualClock(at('09:59:05').getTime());
  readonly memory = new MemoryNode(this.clock.now);
  readonly runs: string[] = [];
  readonly gate = new Gate();

  /** Starts a fleet at that time. */
  async deploy(
    time: Date,
    options: JobOptions,
    expression = '0 0 * * * *',
    instances = 2,
  ): Promise<TestingModule[]> {
    await this.moveTo(time);
    const parts = {
      redlock: { nodes: this.memory },
      providers: [this.jobs(options, expression)],
      clock: this.clock,
    };
    const fleet = await startFleet(instances, parts);
    await this.clock.idle();
    return fleet;
  }

  /** Fires the job at that time. */
  async fire(fleet: readonly TestingModule[], time: Date): Promise<void> {
    await this.moveTo(time);
    await this.clock.until(Promise.all(fleet.map((app) => fire(app, 'report'))));
    await this.clock.idle();
  }

  moveTo(time: Date): Promise<void> {
    return this.clock.advance(time.getTime() - this.clock.now());
  }

  private jobs(options: JobOptions, expression: string): Type {
    const { runs, gate } = this;
    @Injectable()
    class Jobs {
      constructor(private readonly redlock: RedlockService) {}

      @Cron(expression, { name: 'report', timeZone: 'UTC', waitForCompletion: true })
      @Exclusive('report', options)
      async report(): Promise<void> {
        runs.push(this.redlock.current()?.tick?.toISOString().slice(11, 16) ?? 'none');
        await gate.until;
      }
    }
    return Jobs;
  }
}

const redlockOf = (fleet: readonly TestingModule[], instance = 0): RedlockService =>
  fleet[instance]!.get(RedlockService);

/** A fleet that has run the tick of 10:00, and was stopped. */
async function stopped(options: JobOptions): Promise<World> {
  const world = new World();
  const fleet = await world.deploy(at('09:59:05'), options);
  await world.fire(fleet, at('10:00:00'));
  expect(world.runs).toEqual(['10:00']);
  await Promise.all(fleet.map((app) => close(app)));
  return world;
}

describe('a missed tick is made up for at the start', () => {
  it('by one instance, once, and it is on record', async () => {
    const world = await stopped({ missed: 'once' });
    const fleet = await world.deploy(at('13:58:00'), { missed: 'once' }, undefined, 3);
    expect(world.runs).toEqual(['10:00', '13:00']);
    const [record] = await redlockOf(fleet).history('report');
    expect(record).toMatchObject({ trigger: 'catch-up', tick: at('13:00:00'), outcome: 'finished' });
    await world.deploy(at('13:59:00'), { missed: 'once' });
    expect(world.runs).toHaveLength(2);
    await world.fire(fleet, at('14:00:00'));
    expect(world.runs).toEqual(['10:00', '13:00', '14:00']);
  });

  it('within the time that is given', async () => {
    const world = await stopped({ missed: { within: '30m' } });
    const late = await world.deploy(at('13:40:00'), { missed: { within: '30m' } });
    expect(world.runs).toEqual(['10:00']);
    await Promise.all(late.map((app) => close(app)));
    await world.deploy(at('14:20:00'), { missed: { within: '30m' } });
    expect(world.runs).toEqual(['10:00', '14:00']);
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
    await world.moveTo(at('11:00:00'));
    void fire(fleet[0]!, 'report');
    await world.clock.idle();
    expect(world.runs).toEqual(['10:00', '11:00']);
    // Nothing is settled, as in a process that is frozen; long after, the lock and the marker have ended.
    world.gate.until = Promise.resolve();
    world.clock.freeze(at('11:59:59').getTime() + 900 - world.clock.now());
    const again = await world.deploy(new Date(world.clock.now()), { missed: 'once' });
    await world.moveTo(at('12:00:01'));
    for (const each of [0, 1]) await redlockOf(again, each).resume('report');
    await world.clock.idle();
    expect(world.runs.filter((tick) => tick === '11:00')).toHaveLength(1);
    world.gate.open();
  });
});

it('a tick that found a run in progress is not made up for', async () => {
  const world = new World();
  const { clock } = world;
  const fleet = await world.deploy(at('09:59:05'), { missed: 'once', ttl: '1m' }, EVERY_FIVE_MINUTES);
  await world.fire(fleet, at('10:00:00'));
  world.gate.close();
  const run = redlockOf(fleet).trigger('report');
  await world.fire(fleet, at('10:05:00'));
  await clock.advance(2 * 60_000);
  world.gate.open();
  await clock.until(run);
  await redlockOf(fleet).resume('report');
  await clock.idle();
  expect(world.runs).toEqual(['10:00', 'none']);
  // The same job, without a run in the way.
  await redlockOf(fleet).pause('report');
  await world.fire(fleet, at('10:10:00'));
  await redlockOf(fleet).resume('report');
  await clock.idle();
  expect(world.runs).toEqual(['10:00', 'none', '10:10']);
});

describe('a tick that was skipped because the job was paused is made up for', () => {
  const options: JobOptions = { missed: 'once' };

  it('when the job is resumed, also by an instance that does not declare it', async () => {
    const world = new World();
    const { clock, memory } = world;
    const fleet = await world.deploy(at('09:59:05'), options, EVERY_FIVE_MINUTES);
    await world.fire(fleet, at('10:00:00'));
    await redlockOf(fleet).pause('report');
    await world.fire(fleet, at('10:05:00'));
    expect(world.runs).toEqual(['10:00']);
    const office = await start({ redlock: { nodes: memory }, clock });
    await office.get(RedlockService).resume('report');
    await clock.advance(BEAT);
    expect(world.runs).toEqual(['10:00', '10:05']);
  });

  it('however many calls by hand have followed the last tick, if its record is kept', async () => {
    const world = new World();
    const fleet = await world.deploy(at('09:59:05'), options, EVERY_FIVE_MINUTES);
    await world.fire(fleet, at('10:00:00'));
    await redlockOf(fleet).pause('report');
    for (let call = 0; call < 40; call++) await redlockOf(fleet).trigger('report');
    await world.fire(fleet, at('10:05:00'));
    await redlockOf(fleet).resume('report');
    await world.clock.idle();
    expect(world.runs.filter((tick) => tick !== 'none')).toEqual(['10:00', '10:05']);
  });

  it('when its pause ends by itself', async () => {
    const world = new World();
    const fleet = await world.deploy(at('09:59:05'), options, EVERY_FIVE_MINUTES);
    await world.fire(fleet, at('10:00:00'));
    await world.moveTo(at('10:04:59'));
    await redlockOf(fleet).pause('report', { for: '2s' });
    await world.fire(fleet, at('10:05:00'));
    expect(world.runs).toEqual(['10:00']);
    await world.moveTo(at('10:05:03'));
    expect(world.runs).toEqual(['10:00', '10:05']);
  });
});
