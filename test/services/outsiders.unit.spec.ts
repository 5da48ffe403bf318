import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import { CronTime } from 'cron';
import { expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { fire, start } from '../module/application.js';

const at = (day: number, time: string): Date =>
  new Date(`2031-05-${String(day).padStart(2, '0')}T${time}:00Z`);
const timeZone = 'UTC';

class Jobs {
  @Cron('0 0 6 * * *', { name: 'daily', timeZone, waitForCompletion: true })
  @Exclusive('daily')
  async daily(): Promise<void> {}

  @Cron('0 */5 * * * *', { name: 'outsider', timeZone, waitForCompletion: true })
  async outsider(): Promise<void> {
    await this.daily();
  }
}

it('a cron job whose times were changed keeps them, although another cron job calls its method', async () => {
  const clock = new ManualClock(at(7, '06:01').getTime());
  const app = await start({ clock, providers: [Jobs] });
  const redlock = app.get(RedlockService);
  await clock.idle();
  app.get(SchedulerRegistry).getCronJob('daily').setTime(new CronTime('0 0 7 * * *', timeZone));
  const nextTicks: (Date | undefined)[] = [];
  for (const [day, time, job] of [
    [7, '06:05', 'outsider'],
    [7, '07:00', 'daily'],
    [7, '07:05', 'outsider'],
    [9, '07:00', 'daily'],
  ] as const) {
    await clock.advance(at(day, time).getTime() - clock.now());
    await clock.until(fire(app, job));
    await clock.idle();
    nextTicks.push(redlock.preview('daily', 1)[0]);
  }
  expect(nextTicks).toEqual([undefined, at(8, '07:00'), at(8, '07:00'), at(10, '07:00')]);
});
