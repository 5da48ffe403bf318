import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Backpressure } from '../../src/acquire/backpressure.js';
import { withoutQuorum } from '../../src/acquire/outcome.js';

const NODE_TIMEOUT = 500;
const AT_FIRST = 64;
const UNTIL = 2000;
const DOWN = withoutQuorum([new Error('gone')], 1);

/** A `Backpressure` whose first slots are all taken. */
function full(clock = systemClock): Backpressure {
  const backpressure = new Backpressure(NODE_TIMEOUT, clock);
  const { signal } = new AbortController();
  for (let slot = 0; slot < AT_FIRST; slot++) expect(backpressure.enter(signal, UNTIL)).toBeUndefined();
  return backpressure;
}

/** What a promise has come to so far. */
async function stateOf(promise: Promise<unknown> | undefined): Promise<unknown> {
  return Promise.race([promise?.then((failed) => failed ?? 'slot'), setImmediate('waiting')]);
}

describe('claims at the limit', () => {
  it('wait, and get their slots: first those that have the least time, and then as they came', async () => {
    const backpressure = full();
    const { signal } = new AbortController();
    const order: string[] = [];
    const waiting = { yearly: 90_000, hourly: 5000, 'hourly, later': 5000, secondly: 2000 };
    const slots = Object.entries(waiting).map(async ([name, until]) => {
      await backpressure.enter(signal, until);
      order.push(name);
    });
    await Promise.resolve();
    expect(order).toEqual([]);
    slots.forEach(() => backpressure.leave());
    await Promise.all(slots);
    expect(order).toEqual(['secondly', 'hourly', 'hourly, later', 'yearly']);
  });

  it('go first in the end, however much time they have', async () => {
    let now = 0;
    const backpressure = full({ ...systemClock, elapsed: () => now });
    const { signal } = new AbortController();
    const yearly = backpressure.enter(signal, Infinity);
    now = 31_000;
    const secondly = backpressure.enter(signal, now + UNTIL);
    backpressure.leave();
    expect(await stateOf(yearly)).toBe('slot');
    expect(await stateOf(secondly)).toBe('waiting');
  });

  it('leave the queue when their signal aborts, and only these', async () => {
    const backpressure = full();
    const [stopped, going] = [new AbortController(), new AbortController()];
    const slots = [backpressure.enter(stopped.signal, UNTIL), backpressure.enter(going.signal, UNTIL)];
    stopped.abort();
    expect(await stateOf(slots[0])).toBe('slot');
    expect(await stateOf(slots[1])).toBe('waiting');
  });

  it('do not wait at all when their signal has aborted before', () => {
    const backpressure = full();
    expect(backpressure.enter(AbortSignal.abort(), UNTIL)).toBeUndefined();
  });

  it('learn that no quorum votes once that has lasted as long as they would try themselves', async () => {
    const backpressure = full();
    const slot = backpressure.enter(new AbortController().signal, UNTIL);
    const now = Math.ceil(performance.now());
    backpressure.failed(DOWN, now, now + NODE_TIMEOUT);
    expect(await stateOf(slot)).toBe('waiting');
    backpressure.failed(DOWN, now + NODE_TIMEOUT, now + 2 * NODE_TIMEOUT + 1);
    expect(await slot).toMatchObject({ denial: DOWN, since: now });
  });

  it('learn it as late as claims whose first vote hung, although later ones fail at once', async () => {
    const backpressure = full();
    const slot = backpressure.enter(new AbortController().signal, UNTIL);
    const now = Math.ceil(performance.now());
    backpressure.failed(DOWN, now, now + 0.6 * NODE_TIMEOUT);
    backpressure.failed(DOWN, now + 0.7 * NODE_TIMEOUT, now + 0.7 * NODE_TIMEOUT);
    expect(await stateOf(slot)).toBe('waiting');
    backpressure.failed(DOWN, now + 1.5 * NODE_TIMEOUT, now + 1.5 * NODE_TIMEOUT);
    expect(await slot).toMatchObject({ denial: DOWN, since: now, took: 0.6 * NODE_TIMEOUT });
  });

  it('learn it by how long they have waited themselves, not by how much time they have', async () => {
    let now = 0;
    const backpressure = full({ ...systemClock, elapsed: () => now });
    const { signal } = new AbortController();
    backpressure.failed(DOWN, now, now);
    const early = backpressure.enter(signal, 10_000);
    now = 2 * NODE_TIMEOUT;
    const late = backpressure.enter(signal, now + UNTIL);
    backpressure.failed(DOWN, now - NODE_TIMEOUT, now + 1);
    expect(await stateOf(early)).toMatchObject({ denial: DOWN });
    expect(await stateOf(late)).toBe('waiting');
  });

  it('go on waiting while some votes fail and others are answered', async () => {
    const backpressure = full();
    const slot = backpressure.enter(new AbortController().signal, UNTIL);
    const now = Math.ceil(performance.now());
    backpressure.failed(DOWN, now, now + NODE_TIMEOUT);
    backpressure.answered(now, now + NODE_TIMEOUT);
    backpressure.failed(DOWN, now + NODE_TIMEOUT, now + 2 * NODE_TIMEOUT + 1);
    expect(await stateOf(slot)).toBe('waiting');
  });
});
