import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises';

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
