import { expect, it } from 'vitest';
import { Hourly, MOST_REPORTS, REPEAT_AFTER } from '../src/hourly.js';

it('each thing is reported once an hour, and no more than a thousand of a kind', () => {
  let now = 0;
  const hourly = new Hourly(() => now);
  const reports = (count: number): number =>
    Array.from({ length: count }, (_one, index) => hourly.isDue('overlap', `job-${index}`)).filter(Boolean)
      .length;
  expect(reports(10)).toBe(10);
  now += REPEAT_AFTER - 1;
  expect(reports(2 * MOST_REPORTS)).toBe(MOST_REPORTS - 10);
  expect(reports(2 * MOST_REPORTS)).toBe(0);
  expect(hourly.isDue('refused', 'job-0')).toBe(true);
  now += 1;
  expect(reports(2 * MOST_REPORTS)).toBe(10);
  now += REPEAT_AFTER;
  expect(reports(2 * MOST_REPORTS)).toBe(MOST_REPORTS);
});
