/** Where the copies of this package that a process has loaded find each other. */
const LOADED = Symbol.for('nestjs-exclusive');
const shared = globalThis as { [LOADED]?: number };
shared[LOADED] = (shared[LOADED] ?? 0) + 1;

/** What is wrong when a process has loaded this package more than once, as a monorepo may; `undefined`: nothing. */
export function severalCopies(): string | undefined {
  const copies = shared[LOADED] ?? 1;
  if (copies === 1) return undefined;
  return (
    `${copies} copies of nestjs-exclusive are loaded. RedlockModule of one does not guard the methods with @Exclusive of ` +
    'another: install it once (npm ls nestjs-exclusive, or pnpm why, shows where it is)'
  );
}
