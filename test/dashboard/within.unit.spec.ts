import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { within } from '../../src/dashboard/within.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('leaves no timer that would keep the process alive once the work has ended', async () => {
  expect(await within(Promise.resolve('done'), 2000)).toBe('done');
  await expect(within(Promise.reject(new Error('no paper')), 2000)).rejects.toThrow('no paper');
  expect(vi.getTimerCount()).toBe(0);
});

it('does not wait longer than the limit', async () => {
  const answer = within(new Promise(() => {}), 2000);
  await vi.advanceTimersByTimeAsync(2000);
  expect(await answer).toBe(undefined);
});
