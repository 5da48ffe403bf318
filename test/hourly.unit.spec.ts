import { expect, it } from 'vitest';
import { Hourly, REMEMBERED, REPEAT_AFTER } from '../src/hourly.js';

it('each thing is reported once an hour, and no more things than are remembered', () => {
  let now = 0;
  const hourly = new Hourly(() => now);
  const reports = (count: number): number =>
    Array.from({ length: count }, (_one, index) => hourly.isDue(`job-${index}`)).filter(Boolean).length;
  expect(reports(10)).toBe(10);
  now += REPEAT_AFTER - 1;
  expect(reports(2 * REMEMBERED)).toBe(REMEMBERED - 10);
  expect(reports(2 * REMEMBERED)).toBe(0);
  now += 1;
  expect(reports(2 * REMEMBERED)).toBe(10);
  now += REPEAT_AFTER;
  expect(reports(2 * REMEMBERED)).toBe(REMEMBERED);
});
