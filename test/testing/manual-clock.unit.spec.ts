import { expect, it, onTestFinished, vi } from 'vitest';

it('a clock moves though a test has replaced the timers before it imports the package', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const again = '../../src/testing/manual-clock.js?with-fake-timers';
  const { ManualClock } = (await import(
    /* @vite-ignore */ again
  )) as typeof import('../../src/testing/manual-clock.js');
  const clock = new ManualClock();
  await clock.advance(1000);
  expect(clock.elapsed()).toBe(1000);
});
