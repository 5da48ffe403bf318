/**
 * An option, a name or the place of a decorator is wrong. The message names it, its value and what would be right.
 * Thrown where it is given, or at the start of the application.
 */
export class InvalidOptionError extends Error {
  override readonly name = 'InvalidOptionError';

  /** @internal */
  constructor(what: string, value: unknown, right: string) {
    super(`${what} is ${shown(value)}; ${right}`);
  }
}

/**
 * The lease of a lock ended, or could not be kept, while it was in use: another instance may hold the lock now. The
 * reason of an aborted `signal`, and what `extend` throws.
 */
export class LockLostError extends Error {
  override readonly name = 'LockLostError';

  /** @internal */
  constructor(lockName: string, why: string) {
    super(`The lock of ${shown(lockName)} is lost: ${why}`);
  }
}

/**
 * One node could not answer. The message has its address and the reason, never a password. One of the `causes` of a
 * `StoreDownError`.
 */
export class NodeUnreachableError extends Error {
  override readonly name = 'NodeUnreachableError';

  /** @internal */
  constructor(
    /** Host and port of the node. */
    readonly address: string,
    /** What the connection or the server said. */
    readonly reason: string,
    /**
     * @internal What the trouble is about: the connection, everything that the server is asked, or one lock; `'slow'`: the
     * answer is late, while others arrive.
     */
    readonly scope: 'connection' | 'server' | 'lock' | 'slow' = 'connection',
  ) {
    super(`Node ${address}: ${reason}`);
  }
}

/** No majority of the nodes could be reached, so nobody can say who may run. Thrown where `onStoreDown` is `'throw'`. */
export class StoreDownError extends Error {
  override readonly name = 'StoreDownError';

  /** @internal */
  constructor(
    lockName: string,
    /** What was wrong with each node that did not vote. */
    readonly causes: readonly Error[],
  ) {
    super(`No quorum for ${shown(lockName)}. ${causes.map((cause) => cause.message).join('. ')}`);
  }
}

/** A run took longer than its `maxRuntime`. The reason of its aborted `signal`. */
export class RunTimeoutError extends Error {
  override readonly name = 'RunTimeoutError';

  /** @internal */
  constructor(lockName: string, maxRuntime: number) {
    super(`The run of ${shown(lockName)} took longer than its maxRuntime of ${maxRuntime} ms`);
  }
}

/**
 * The application shut down, and the run was not over when `shutdownTimeout` had passed. The reason of its aborted
 * `signal`.
 */
export class ShutdownError extends Error {
  override readonly name = 'ShutdownError';

  /** @internal */
  constructor(lockName: string, isHandedBack = false) {
    super(
      `The run of ${shown(lockName)} was not over when the application shut down` +
        (isHandedBack ? ': another instance takes its tick over' : ''),
    );
  }
}

/** A name as it can stand in a message: short, and on one line. */
export function quoted(name: string): string {
  return shown(name);
}

/** A value as it can stand in a message: short, and on one line. */
function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : typeof value === 'function'
        ? 'a function'
        : printed(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** Some objects cannot be made a text, such as those without a prototype. */
function printed(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
