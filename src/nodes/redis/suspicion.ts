import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { CLOSED } from './causes.js';
import { duplicateOf } from './redis-client.js';
import { isOfReadyCheck, isOfSelect, isOfTimeout } from './redis-errors.js';
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
 * Opens a second connection to a server. Once it is ready, resolves to it, as `fresh`. If `isOver` resolves first,
 * resolves to the reason why the connection was refused, as `refusal`, or to an empty object if the server was silent,
 * or if only the ready check failed.
 */
export async function openSecond(
  first: Redis,
  isOver: Promise<void>,
): Promise<{ readonly fresh?: Redis; readonly refusal?: Error }> {
  const fresh = duplicateOf(first);
  prepare(fresh);
  let refusal: Error | undefined;
  let isMisplaced = false;
  fresh.on('error', (error: Error) => {
    refusal = error;
    isMisplaced ||= isOfSelect(error);
  });
  fresh.on('close', () => {
    refusal ??= new Error(CLOSED);
    isMisplaced = false;
  });
  // ioredis also calls a connection ready if the server has refused to select the database.
  const isReady = new Promise<true>((resolve) => fresh.on('ready', () => isMisplaced || resolve(true)));
  fresh.connect().catch(() => {});
  // Waits even after a refusal: ioredis tries again, unless it reaches no Sentinel.
  if (await Promise.race([isReady, isOver])) return { fresh };
  abandon(fresh);
  return isOfReadyCheck(refusal) || isOfTimeout(refusal) ? {} : { refusal };
}
