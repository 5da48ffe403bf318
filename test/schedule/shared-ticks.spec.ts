import { setImmediate as nextRound } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CronTime } from 'cron';
import { describe, expect, it } from 'vitest';
import { SharedTicks } from '../../src/schedule/shared-ticks.js';

describe('the ticks of a schedule', () => {
  it('are shared by all jobs with the same expression and time zone', () => {
    const shared = new SharedTicks();
    const ticks = shared.of(new CronTime('0 0 1 * *', 'Europe/Paris'));
    expect(shared.of(new CronTime('0 0 1 * *', 'Europe/Paris'))).toBe(ticks);
    expect(shared.of(new CronTime('0 0 1 * *', null, 60))).toBe(
      shared.of(new CronTime('0 0 1 * *', null, 60)),
    );
    expect(shared.of(new CronTime('0 0 1 * *'))).toBe(shared.of(new CronTime('0 0 1 * *')));
  });

  it('are not shared by other expressions, time zones and dates', () => {
    const shared = new SharedTicks();
    const all = [
      new CronTime('0 0 1 * *', 'Europe/Paris'),
      new CronTime('0 0 2 * *', 'Europe/Paris'),
      new CronTime('0 0 1 * *', 'Europe/London'),
      new CronTime('0 0 1 * *', null, 60),
      new CronTime('0 0 1 * *', null, 0),
      new CronTime(new Date(0)),
      new CronTime(new Date(0)),
    ];
    expect(new Set(all.map((cron) => shared.of(cron))).size).toBe(all.length);
  });
});

describe('the memory of shared ticks', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;

  /** Lets the engine free what is unused; it reports that in a later round. */
  async function forget(shared: SharedTicks, left: number): Promise<void> {
    for (let times = 0; times < 10 && shared.size > left; times++) {
      await nextRound();
      collectGarbage();
    }
  }

  it('has only the schedules whose jobs exist, however many there have been', async () => {
    const shared = new SharedTicks();
    const job = new CronTime('0 0 1 * *', 'UTC');
    const ticks = new WeakRef(shared.of(job));
    for (let count = 0; count < 1000; count++) {
      shared.of(new CronTime(`${count % 60} ${Math.trunc(count / 60)} * * * *`, null, (count % 24) * 30));
    }
    expect(shared.size).toBe(1001);
    await forget(shared, 1);
    expect(shared.size).toBe(1);
    expect(shared.of(new CronTime('0 0 1 * *', 'UTC'))).toBe(ticks.deref());
    expect(shared.of(job)).toBe(ticks.deref());
  });

  it('keeps a schedule that comes back before it has been reported as unused', async () => {
    const shared = new SharedTicks();
    shared.of(new CronTime('0 0 1 * *', 'UTC'));
    await nextRound();
    collectGarbage();
    const again = new CronTime('0 0 1 * *', 'UTC');
    const ticks = shared.of(again);
    for (let times = 0; times < 5; times++) await nextRound();
    expect(shared.of(new CronTime('0 0 1 * *', 'UTC'))).toBe(ticks);
    expect(shared.of(again)).toBe(ticks);
  });

  it('keeps a schedule whose first job is gone, and whose second one is not', async () => {
    const shared = new SharedTicks();
    shared.of(new CronTime('0 0 1 * *', 'UTC'));
    const second = new CronTime('0 0 1 * *', 'UTC');
    const ticks = new WeakRef(shared.of(second));
    await forget(shared, 0);
    expect(shared.size).toBe(1);
    expect(shared.of(second)).toBe(ticks.deref());
  });
});
