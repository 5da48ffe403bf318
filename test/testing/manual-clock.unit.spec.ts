import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ManualClock } from '../../src/testing/manual-clock.js';

it('a timer is called in the async context in which it was set, as by Node.js', async () => {
  const clock = new ManualClock();
  const context = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const note = (): void => void seen.push(context.getStore());
  context.run('the creator', () =>
    clock.setTimeout(() => {
      note();
      clock.setTimeout(note, 10);
    }, 10),
  );
  clock.setTimeout(note, 10);
  await context.run('the test', () => clock.advance(20));
  expect(seen).toEqual(['the creator', undefined, 'the creator']);
});

it('a clock moves though a test has replaced the timers before it imports the package', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const again = '../../src/testing/manual-clock.js?with-fake-timers';
  const loaded = (await import(
    /* @vite-ignore */ again
  )) as typeof import('../../src/testing/manual-clock.js');
  const clock = new loaded.ManualClock();
  await clock.advance(1000);
  expect(clock.elapsed()).toBe(1000);
});
