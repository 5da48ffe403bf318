import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { onAbort } from '../src/on-abort.js';

it('callbacks for one signal are called when it aborts, by one listener, except those that are removed', () => {
  const stop = new AbortController();
  const called: number[] = [];
  const removals = Array.from({ length: 1000 }, (_, id) => onAbort(stop.signal, () => called.push(id)));
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  for (const remove of removals.slice(3)) remove();
  stop.abort();
  expect(called).toEqual([0, 1, 2]);
});
