import type { Subject } from '../measure.js';

/** One way to lock. */
export interface Contender {
  /** With the version. */
  readonly name: string;
  /** Resolves to what gives the lock back. */
  readonly acquire: () => Promise<() => Promise<unknown>>;
  readonly close?: () => Promise<void>;
}

/** How long a lock lives, in milliseconds: longer than any measurement, so that nothing is renewed. */
export const TTL = 30_000;

/** The latency of a contender: until it has the lock, and until it has given it back. */
export function cycleOf({ name, acquire }: Contender): Subject<'acquire' | 'cycle'> {
  return {
    name,
    async once() {
      const begin = performance.now();
      const release = await acquire();
      const held = performance.now();
      await release();
      return { acquire: held - begin, cycle: performance.now() - begin };
    },
  };
}
