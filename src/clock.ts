import { onAbort } from './on-abort.js';
import { turn } from './turns.js';

/** A timer of a `Clock`. It keeps the process alive until it fires, unless `unref` is called. */
export interface Timer {
  unref(): Timer;
}

/**
 * The source of times and timers for all code but the nodes and the exceptions in docs/internals.md (Time), so that a
 * test can provide its own.
 */
export interface Clock {
  /** The wall clock, in milliseconds since the epoch. It can be set at any time. */
  readonly now: () => number;
  /** The monotonic clock, in milliseconds since an arbitrary moment. It is never set. */
  readonly elapsed: () => number;
  /** Calls `callback` once, after `delay` milliseconds. */
  setTimeout(callback: () => void, delay: number): Timer;
  /** Cancels a timer, if there is one that has not fired. */
  clearTimeout(timer: Timer | undefined): void;
  /** Resolves when work that can wait may go on: see `turns.ts`. Take one turn for each piece of that work. */
  turn(): Promise<void>;
}

/** The clocks and timers of the system, looked up on each call because fake timers replace the globals. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  turn,
};

/** Resolves after `delay` milliseconds, or as soon as `signal` aborts. Never rejects. */
export function sleep(clock: Clock, delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = (): void => {
      clock.clearTimeout(timer);
      ignoreAbort?.();
      resolve();
    };
    const timer = clock.setTimeout(end, delay);
    const ignoreAbort = signal && onAbort(signal, end);
  });
}
