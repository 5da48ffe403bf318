import { CronExpression } from '@nestjs/schedule';
import { CronTime } from 'cron';
import { describe, expect, it } from 'vitest';
import { regularStep } from '../../src/dashboard/page/model/regular-step.js';

describe('the regular step of an expression', () => {
  it.each([
    ['* * * * * *', 1000],
    ['*/10 * * * * *', 10_000],
    ['* * * * *', 60_000],
    ['30 */2 * * * *', 120_000],
    ['0 0-23/6 * * *', 21_600_000],
    ['0-59/15 0-23 * * *', 900_000],
    ['*/60 * * * *', 3_600_000],
    ['15 2 * * *', 86_400_000],
    ['0 0 2 ? * *', 86_400_000],
  ])('of %s is %d ms', (expression, step) => {
    expect(regularStep(expression)).toBe(step);
  });

  it.each([
    '0 8 * * 1-5',
    '0 9-17 * * *',
    '*/7 * * * *',
    '0-23 * * * *',
    '0-23/6 * * * *',
    '0-23 * * * * *',
    '* 0-23 * * * *',
    '* 0-59 * * *',
    '0 0-59/6 * * *',
    '0/5 * * * *',
    '0 0 1-31 * *',
    '0 0 L * *',
    '0 0 * jan *',
    '0 0 * * mon-sun',
    '0,30 * * * *',
    '0 */5 2 * * *',
    '*/5 0 * * * *',
    '0 0 1 * *',
    '@daily',
    '',
    '2026-11-26T10:00:00Z',
  ])('of "%s" is not obvious', (expression) => expect(regularStep(expression)).toBeUndefined());

  it('is what cron says, for each expression that @nestjs/schedule names', () => {
    const begin = new Date(Date.UTC(2026, 0, 1));
    for (const expression of Object.values(CronExpression)) {
      const step = regularStep(expression);
      if (step === undefined) continue;
      const time = new CronTime(expression, 'UTC');
      let from = time.getNextDateFrom(begin).toMillis();
      for (let ticks = 0; ticks < 25; ticks++) {
        const next = time.getNextDateFrom(new Date(from)).toMillis();
        expect([expression, next - from]).toEqual([expression, step]);
        from = next;
      }
    }
  });
});
