/** A global counter that all copies of this package in a process share. */
const LOADED = Symbol.for('nestjs-exclusive');
const shared = globalThis as { [LOADED]?: number };
shared[LOADED] = (shared[LOADED] ?? 0) + 1;

/**
 * A warning if this package is loaded more than once, as can happen in a monorepo, or in a test that resets its
 * modules; otherwise `undefined`.
 */
export function severalCopies(): string | undefined {
  const copies = shared[LOADED] ?? 1;
  if (copies === 1) return undefined;
  return (
    `${copies} copies of nestjs-exclusive are loaded. The RedlockModule of one copy does not guard the methods that another ` +
    'copy decorates: install the package once (npm ls nestjs-exclusive, or pnpm why, shows where it is). A test that ' +
    'resets its modules loads another copy, too: make it import the whole application again'
  );
}
