import { expect, it } from 'vitest';
import * as names from '../../src/index.js';

it('exports these names, and no others', () => {
  expect(Object.keys(names).toSorted()).toMatchInlineSnapshot(`
    [
      "Exclusive",
      "InvalidOptionError",
      "LockLostError",
      "MemoryNode",
      "NodeUnreachableError",
      "NotInjectedError",
      "RedlockError",
      "RedlockModule",
      "RedlockService",
      "RunTimeoutError",
      "ShutdownError",
      "StoreDownError",
    ]
  `);
});
