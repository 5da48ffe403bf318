import { expect, it } from 'vitest';
import { fateOf, isOfOneClaim, isRefusal } from '../../src/nodes/redis/redis-errors.js';

it('a command on a slot that is being moved is refused, but may have been carried out before', () => {
  const error = new Error(
    'Too many Cluster redirections. Last error: ReplyError: TRYAGAIN Multiple keys request',
  );
  expect(isRefusal(error)).toBe(true);
  expect(isOfOneClaim(error)).toBe(true);
  expect(fateOf(error)).toBe('unknown');
});
