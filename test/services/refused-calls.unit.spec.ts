import { describe, expect, it, vi } from 'vitest';
import { InvalidOptionError, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { start } from '../module/application.js';

const LONE = 'a\uD800';

/** A service, and how often its node has been asked for a lock. */
async function serviceWithNode(): Promise<{ redlock: RedlockService; claims: () => number }> {
  const node = new MemoryNode();
  const claim = vi.spyOn(node, 'claim');
  const app = await start({ redlock: { nodes: node } });
  return { redlock: app.get(RedlockService), claims: () => claim.mock.calls.length };
}

describe('the service refuses before it asks any node', () => {
  it.each<[what: string, call: (redlock: RedlockService) => Promise<unknown>, message: string]>([
    [
      'a run without a routine',
      (redlock) => redlock.run('a', undefined as never),
      'run(): routine must be a function; received undefined',
    ],
    [
      'a routine that is a promise',
      (redlock) => redlock.run('a', Promise.resolve() as never),
      'run(): routine must be a function; received a promise',
    ],
    [
      'a cron job that is none',
      (redlock) => redlock.run('a', () => 1, { job: {} as never }),
      'run(): job must be a CronJob; received an object',
    ],
    [
      'a cron job that is null',
      (redlock) => redlock.run('a', () => 1, { job: null as never }),
      'run(): job must be a CronJob; received null',
    ],
    [
      'an unknown option of a run',
      (redlock) => redlock.run('a', () => 1, { jobb: 1 } as never),
      'run(): unknown option "jobb" (known options: ttl, every, overlap, maxRuntime, recover, onStoreDown, missed, history, overdueAfter, spread, job)',
    ],
    [
      'null for an option of a run',
      (redlock) => redlock.run('a', () => 1, { maxRuntime: null as never }),
      'run(): maxRuntime must be a number of milliseconds',
    ],
    [
      'null for the options of a run',
      (redlock) => redlock.run('a', () => 1, null as never),
      'run(): options must be an object, not null',
    ],
    [
      'an array for the options of a lock',
      (redlock) => redlock.lock('a', [] as never),
      'lock(): options must be an object, not an empty array',
    ],
    [
      'a number for the options of a lock',
      (redlock) => redlock.lock('a', 5000 as never),
      'lock(): options must be an object, not 5000',
    ],
    [
      'null for an option of a lock',
      (redlock) => redlock.lock('a', { ttl: null as never }),
      'lock(): ttl must be a number of milliseconds',
    ],
    [
      'a duration without a unit for an option of a lock',
      (redlock) => redlock.lock('a', { wait: '10' as never }),
      'lock(): wait must be a number of milliseconds, or a duration with its unit',
    ],
    [
      'a wrong limit for missed ticks',
      (redlock) => redlock.run('a', () => 1, { missed: { within: 0 } }),
      'run(): missed.within must be a number of milliseconds',
    ],
    [
      'a name with a lone surrogate',
      (redlock) => redlock.lock(LONE),
      'lock(): name must be well-formed Unicode',
    ],
    [
      'a run whose name has a lone surrogate',
      (redlock) => redlock.run(LONE, () => 1),
      'run(): name must be well-formed Unicode',
    ],
  ])('%s', async (_what, call, message) => {
    const { redlock, claims } = await serviceWithNode();
    const error: unknown = await call(redlock).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain(`InvalidOptionError: ${message}`);
    expect(claims()).toBe(0);
  });

  it('null for the ttl of an extension', async () => {
    const { redlock } = await serviceWithNode();
    const lock = await redlock.lock('a');
    await expect(lock?.extend(null as never)).rejects.toThrow('extend(): ttl must be');
    await redlock.run('b', (run) =>
      expect(run.extend(null as never)).rejects.toThrow('extend(): ttl must be'),
    );
  });
});

describe('a MemoryNode refuses a clock that', () => {
  it.each<[what: string, clock: unknown, message: string]>([
    ['is a number', 5, 'clock must be a function; received 5'],
    ['is null', null, 'clock must be a function; received null'],
    ['returns nothing', () => {}, 'clock must return milliseconds since the epoch, not undefined'],
    ['returns NaN', () => Number.NaN, 'milliseconds since the epoch, not NaN'],
    ['returns a Date', () => new Date(0), 'milliseconds since the epoch, not 1970-01-01T00:00:00.000Z'],
    ['is asynchronous', () => Promise.resolve(1), 'milliseconds since the epoch, not a promise'],
  ])('%s', (_what, clock, message) => {
    expect(() => new MemoryNode(clock as () => number)).toThrow(InvalidOptionError);
    expect(() => new MemoryNode(clock as () => number)).toThrow(message);
  });

  it('throws, and keeps what it threw', () => {
    const fault = new TypeError('no clock');
    const create = (): MemoryNode =>
      new MemoryNode(() => {
        throw fault;
      });
    expect(create).toThrow(expect.objectContaining({ option: 'clock', cause: fault }));
  });

  it('stops telling the time later', async () => {
    let time: unknown = 0;
    const node = new MemoryNode(() => time as number);
    const clock = new ManualClock();
    const parts = { redlock: { nodes: node, onStoreDown: 'throw' as const }, clock };
    const redlock = (await start(parts)).get(RedlockService);
    time = 'soon';
    await expect(clock.until(redlock.lock('a'))).rejects.toThrow(
      'clock must return milliseconds since the epoch',
    );
  });
});
