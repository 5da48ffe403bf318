import { once } from 'node:events';
import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { errorOf } from '../../errors.js';
import { CLOSED } from './causes.js';

/** The suspicion that a connection is dead: a command on it was not answered in time. */
export class Suspicion {
  /** Resolves when it is known whether the connection still works. */
  readonly over: Promise<void>;
  /** Whether neither connection has answered in time. Never set for a Cluster. */
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

/** Waits until a new connection can be used, or is known to be refused. Never resolves while it is silent. */
export function openedOrRefused(fresh: Redis | Cluster): Promise<true | Error> {
  return Promise.race([
    once(fresh, 'ready').then(() => true as const),
    once(fresh, 'close').then(() => new Error(CLOSED)),
  ]).catch(errorOf);
}
