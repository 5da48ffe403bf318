import { expect, it } from 'vitest';
import { InvalidOptionError, RedlockModule } from '../../src/index.js';

it('a long text is refused as a duration at once', () => {
  const ttl = `${'1'.repeat(20_000)}x` as '1s';
  const begin = performance.now();
  expect(() => RedlockModule.forRoot({ nodes: 'memory', ttl })).toThrow(InvalidOptionError);
  // As a number with a unit, it would be read for seconds.
  expect(performance.now() - begin).toBeLessThan(500);
});
