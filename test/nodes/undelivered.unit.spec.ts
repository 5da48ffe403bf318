import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Undelivered, UndeliveredCommands } from '../../src/nodes/undelivered.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Commands of these tokens, which were all rejected. */
function rejected(...tokens: string[]): UndeliveredCommands {
  const undelivered = new UndeliveredCommands(100);
  for (const token of tokens)
    undelivered.rejected(undelivered.add({ kind: 'release' }, { lock: token }, token));
  return undelivered;
}

const tokensOf = (commands: readonly Undelivered[]): string[] => commands.map(({ token }) => token);

it('sends rejected commands again a few at a time, those that were rejected least recently first', () => {
  const undelivered = rejected('a', 'b', 'c');
  const first = undelivered.take('release', 2);
  expect(tokensOf(first)).toEqual(['a', 'b']);
  for (const command of first) undelivered.rejected(command);
  expect(tokensOf(undelivered.take('release', 2))).toEqual(['c', 'a']);
  expect(tokensOf(undelivered.take('release'))).toEqual(['b']);
  expect(undelivered.take('release')).toEqual([]);
});

it('tells rejected settles from rejected releases, also of one claim', () => {
  const undelivered = rejected('a', 'b');
  undelivered.cancelRelease('a');
  undelivered.rejected(undelivered.add({ kind: 'settle' }, { lock: 'a' }, 'a'));
  expect(tokensOf(undelivered.take('settle'))).toEqual(['a']);
  expect(tokensOf(undelivered.take('release'))).toEqual(['b']);
  expect(undelivered.rejectedCount('settle') + undelivered.rejectedCount('release')).toBe(0);
});

it('sends a command again for a minute in all, however often it is rejected', async () => {
  const undelivered = rejected('a');
  for (let times = 0; times < 59; times++) {
    vi.advanceTimersByTime(1000);
    const [command] = undelivered.take('release');
    if (command) undelivered.rejected(command);
    expect(command).toBeDefined();
  }
  vi.advanceTimersByTime(1000);
  expect(undelivered.take('release')).toEqual([]);
  await undelivered.whenEmpty();
});

it('does not send a command again that is on its way, or was answered', () => {
  const undelivered = rejected('a', 'b');
  const [a] = undelivered.take('release', 1);
  if (a) undelivered.forget(a);
  undelivered.add({ kind: 'settle' }, { lock: 'b' }, 'b');
  expect(undelivered.take('release')).toEqual([]);
  expect(tokensOf(undelivered.take('all'))).toEqual(['b']);
});

it('knows of a release that it is needless until the claim is extended or settled', () => {
  const undelivered = new UndeliveredCommands(100);
  const add = (kind: 'settle' | 'release') => undelivered.add({ kind }, { lock: 'a' }, 'a');
  expect(undelivered.isNeedless(add('release'))).toBe(false);
  undelivered.claimRefused(add('release'));
  expect(undelivered.take('all')).toEqual([]);
  expect(undelivered.isNeedless(add('release'))).toBe(true);
  expect(undelivered.isNeedless(add('settle'))).toBe(false);
  undelivered.cancelRelease('a');
  expect(undelivered.isNeedless(add('release'))).toBe(false);
});
