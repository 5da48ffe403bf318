import type { Redis } from 'ioredis';
import Redlock5, { type Settings } from 'redlock';
import Redlock4 from 'redlock4';
import { OURS } from '../builds.js';
import { versionOf } from '../machine.js';

/** A way to keep a scheduled job to one instance. */
export interface Way {
  readonly name: string;
  /** Runs `work` if this instance may, over this connection. Omitted if a decorator guards the job. */
  readonly guard?: (redis: Redis) => (work: () => Promise<void>) => Promise<unknown>;
}

/** How long a run takes, in milliseconds. */
export const WORK = 30;

/** The list of the ticks that were run, one for each run, in seconds since the epoch. */
export function runsKey(way: string): string {
  return `runs of ${way}`;
}

/** Each with the settings that it comes with, or that its own documentation recommends. */
export const WAYS: readonly Way[] = [
  { name: 'no lock', guard: () => (work) => work() },
  {
    name: `the recipe, redlock ${versionOf('redlock4')}`,
    guard(redis) {
      const redlock = new Redlock4([redis], { retryCount: 5, retryDelay: 200 });
      return async (work) => {
        const lock = await redlock.lock('recipe', 600_000).catch(() => null);
        if (!lock) return;
        await work();
        await lock.unlock();
      };
    },
  },
  { name: `using() of redlock ${versionOf('redlock')}`, guard: (redis) => using(redis, 'using', {}) },
  { name: 'the same with retryCount: 0', guard: (redis) => using(redis, 'once', { retryCount: 0 }) },
  { name: `${OURS} ${versionOf(OURS)}` },
];

function using(
  redis: Redis,
  key: string,
  settings: Partial<Settings>,
): ReturnType<NonNullable<Way['guard']>> {
  const redlock = new Redlock5([redis], settings);
  return (work) => redlock.using([key], 30_000, work).catch(() => {});
}
