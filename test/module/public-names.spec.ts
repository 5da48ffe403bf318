import { expect, it } from 'vitest';
import * as names from '../../src/index.js';

it('exports these names, and no others', () => {
  expect(Object.keys(names).toSorted()).toMatchInlineSnapshot(`
    [
      "EARLY_CLAIM",
      "Exclusive",
      "InvalidOptionError",
      "KEEP_LAST",
      "LockLostError",
      "MemoryNode",
      "NodeUnreachableError",
      "RedlockModule",
      "RedlockService",
      "ShutdownError",
      "StoreDownError",
      "TAKEOVER",
      "TimeoutError",
    ]
  `);
});
