import { expect, it, vi } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { AppModule, at, startFleet } from './application.js';

const FAR = new Date('2099-12-31T23:59:00Z');
const LIMIT = 'cron finds no ticks more than eight years after the date of this machine';

it('a fleet lives when cron finds ticks', async () => {
  for (const now of [FAR, new Date(-1), new Date(8.64e15)]) {
    await expect(TestFleet.create(AppModule, { now })).rejects.toThrow(
      new RegExp(`create\\(\\): now must be from 1970 to .*: ${LIMIT}; received [+-]?\\d`),
    );
  }
  const { fleet } = await startFleet();
  await expect(fleet.fire('report', new Date(8.64e15))).rejects.toThrow(/fire\(\): at must be from 1970 to/);
});

it('a job whose ticks cron does not find yet is no success, and fires when it does', async () => {
  const { fleet } = await startFleet({ instances: 1 });
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2020-01-01') });
  try {
    await expect(fleet.fire('report')).rejects.toThrow(
      'Jobs.report has no scheduled time after 2031-05-07T09:30:05.000Z that cron finds: it looks until 2028-01-01',
    );
    expect(fleet.instances[0]!.get(RedlockService).preview('report')).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
  await fleet.fire('report');
  expect(fleet.now).toEqual(at('09:40:00'));
});
