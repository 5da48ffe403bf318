import { afterEach, expect, it, vi } from 'vitest';
import { type Done, type EndOfRefusal, Refusal } from '../../src/nodes/refusal.js';

afterEach(() => void vi.useRealTimers());

const WROTE = { wrote: true };
const READ = { wrote: false };

it.each<[refused: EndOfRefusal[], done: Done, isOver: boolean]>([
  [['answer'], READ, true],
  [['write'], { step: 'claim', ...READ }, false],
  [['write'], WROTE, true],
  [['claim'], { step: 'release', ...READ }, false],
  [['claim'], { step: 'extend', ...WROTE }, false],
  [['claim'], { step: 'settle', ...WROTE }, false],
  [['claim'], { step: 'claim', ...READ }, false],
  [['claim'], WROTE, false],
  [['claim'], { step: 'claim', ...WROTE }, true],
  [['settle'], { step: 'claim', ...WROTE }, false],
  [['settle'], { step: 'settle', ...WROTE }, true],
  [['release'], { step: 'release', ...READ }, true],
  [['release'], { step: 'settle', ...WROTE }, true],
  [['extend'], { step: 'settle', ...WROTE }, true],
  // A claim is refused, and then its release: what claims need is enough.
  [['claim', 'release'], { step: 'claim', ...WROTE }, true],
  [['claim', 'release'], { step: 'release', ...READ }, false],
  [['settle', 'claim'], { step: 'claim', ...WROTE }, false],
  [['claim', 'write'], WROTE, true],
])('after the refusals %j, %j ends the trouble: %s', (refused, done, isOver) => {
  let refusal: Refusal | undefined;
  for (const endsWith of refused) refusal = Refusal.of(endsWith, refusal);
  expect(refusal?.isOverAfter(done)).toBe(isOver);
});

it('a minute after a refusal, the same step need not write to end it, nor run a script', () => {
  vi.useFakeTimers();
  const refusal = Refusal.of('claim');
  vi.advanceTimersByTime(61_000);
  expect(refusal.isOverAfter(WROTE)).toBe(true);
  expect(refusal.isOverAfter({ step: 'release', ...READ })).toBe(false);
  expect(refusal.isOverAfter({ step: 'claim', ...READ })).toBe(true);
});
