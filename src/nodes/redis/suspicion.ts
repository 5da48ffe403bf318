import { once } from 'node:events';
import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { errorOf } from '../../errors.js';
import { CLOSED } from './causes.js';
import { duplicateOf } from './redis-client.js';
import { isOfReadyCheck } from './redis-errors.js';
import { abandon, prepare } from './redis-sockets.js';

/** The suspicion that the connection to a single server is dead: a command on it was not answered in time. */
export class Suspicion {
  /** Resolves when it is known whether the connection still works. */
  readonly over: Promise<void>;
  /** Whether neither connection has answered in time. */
  noneAnswered = false;
  private resolve: (() => void) | undefined;

  constructor() {
    this.over = new Promise((resolve) => (this.resolve = resolve));
  }

  end(): void {
    this.resolve?.();
  }
}

/** Waits for `limit` milliseconds, then for answers that arrived during a blocked event loop to be read. */
export async function afterTimeout(limit: number): Promise<void> {
  await pause(limit, undefined, { ref: false });
  await immediate();
}

/**
 * Opens a second connection to a server. Resolves to it when it is ready, or to why it is refused; to neither if it is
 * silent until `isOver` resolves.
 */
export async function openSecond(
  first: Redis,
  isOver: Promise<void>,
): Promise<{ readonly fresh?: Redis; readonly refusal?: Error }> {
  const fresh = duplicateOf(first);
  prepare(fresh);
  fresh.connect().catch(() => {});
  const opened = once(fresh, 'ready').then(() => true as const);
  const closed = once(fresh, 'close').then(() => new Error(CLOSED));
  const result = await Promise.race([Promise.race([opened, closed]).catch(errorOf), isOver]);
  if (result === true) return { fresh };
  abandon(fresh);
  return result && !isOfReadyCheck(result) ? { refusal: result } : {};
}
