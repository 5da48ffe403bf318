import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { REFRESH, SharedRead } from '../../src/dashboard/shared-read.js';

describe('a shared read', () => {
  let begun: number;
  let takes: number;
  let shared: SharedRead<number>;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
    begun = 0;
    takes = 10;
    shared = new SharedRead(async () => {
      const number = ++begun;
      await new Promise((resolve) => setTimeout(resolve, takes));
      return number;
    });
  });
  afterEach(() => vi.useRealTimers());

  it('is not begun again while it takes longer than a refresh', async () => {
    takes = REFRESH * 3;
    const first = shared.get();
    await vi.advanceTimersByTimeAsync(REFRESH * 2);
    const second = shared.get();
    await vi.advanceTimersByTimeAsync(REFRESH);
    expect([await first, await second, begun]).toEqual([1, 1, 1]);
  });

  it('is begun again once the refresh is over', async () => {
    void shared.get();
    await vi.advanceTimersByTimeAsync(REFRESH - 1);
    void shared.get();
    expect(begun).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    void shared.get();
    expect(begun).toBe(2);
  });

  it('is renewed after the one in progress, which may have seen what was before', async () => {
    const before = shared.get();
    const renewed = shared.renewed();
    expect(begun).toBe(1);
    await vi.advanceTimersByTimeAsync(20);
    expect([await before, await renewed]).toEqual([1, 2]);
  });
});
