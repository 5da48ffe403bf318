import { setImmediate as nextRound } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { turn } from '../src/turns.js';
import { countRounds } from './schedule/rounds.js';

afterEach(() => void vi.useRealTimers());

function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** The timers that keep the process alive. */
const livingTimers = (): number =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

describe('turns', () => {
  it('come in the order of the calls, each in another round of the event loop', async () => {
    const rounds = countRounds();
    const turns: [caller: number, round: number][] = [];
    const callers = Array.from({ length: 20 }, (_, caller) => caller);
    const calls = callers.map(async (caller) => {
      await turn();
      turns.push([caller, rounds.count]);
      // Longer than the pause between two turns, so that the next one is due at once.
      work(2);
    });
    // Node.js runs timers that are due together in one round, and those that come due meanwhile, too.
    for (const delay of callers) setTimeout(() => {}, 2 + delay);
    for (let ticks = 0; ticks < 5; ticks++) await Promise.resolve();
    work(30);
    await Promise.all(calls);
    rounds.stop();
    expect(turns.map(([caller]) => caller)).toEqual(callers);
    expect(new Set(turns.map(([, round]) => round)).size).toBe(callers.length);
  });

  it('come though a test has replaced the timers', async () => {
    vi.useFakeTimers();
    await expect(turn()).resolves.toBeUndefined();
    vi.useRealTimers();
    await expect(turn()).resolves.toBeUndefined();
  });

  it('do not keep the process alive while they are awaited', async () => {
    await nextRound();
    const before = livingTimers();
    const turns = Promise.all([turn(), turn()]);
    await Promise.resolve();
    expect(livingTimers()).toBe(before);
    await turns;
  });
});
