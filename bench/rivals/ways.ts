import type { Redis } from 'ioredis';
import Redlock5 from 'redlock';
import { Redlock4 } from '../contenders/redlock.js';
import { OURS, versionOf } from '../machine.js';

/** A way to keep a scheduled job to one instance. */
export interface Way {
  readonly name: string;
  /** Runs `work` if this instance may, over this connection. Left out: that is up to a decorator. */
  readonly guard?: (redis: Redis) => (work: () => Promise<void>) => Promise<unknown>;
}

const KEY = 'rivals';
const TTL = { recipe: 600_000, using: 30_000 };

/** Each with the settings that it comes with, or that its own text gives. */
export const WAYS: readonly Way[] = [
  { name: 'no lock', guard: () => (work) => work() },
  {
    name: `the recipe, redlock ${versionOf('redlock4')}`,
    guard(redis) {
      const redlock = new Redlock4([redis], { retryCount: 5, retryDelay: 200 });
      return async (work) => {
        const lock = await redlock.lock(`${KEY}:recipe`, TTL.recipe).then(
          (held) => held,
          () => null,
        );
        if (!lock) return;
        await work();
        await lock.unlock();
      };
    },
  },
  { name: `using() of redlock ${versionOf('redlock')}`, guard: (redis) => usingOf(redis, 'using', {}) },
  {
    name: 'the same with retryCount: 0',
    guard: (redis) => usingOf(redis, 'once', { retryCount: 0 }),
  },
  { name: `${OURS} ${versionOf(OURS)}` },
];

function usingOf(
  redis: Redis,
  key: string,
  settings: { readonly retryCount?: number },
): (work: () => Promise<void>) => Promise<unknown> {
  const redlock = new Redlock5([redis], settings);
  return (work) => redlock.using([`${KEY}:${key}`], TTL.using, work).catch(() => {});
}
