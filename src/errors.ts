/**
 * An option, a name or the place of a decorator is invalid. The message names it, its value and what is valid. Thrown
 * where it is set, or when the application starts.
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
 * reason of an aborted `signal`; also thrown by `extend`.
 */
export class LockLostError extends Error {
  override readonly name = 'LockLostError';

  /** @internal */
  constructor(lockName: string, why: string) {
    super(`The lock of ${shown(lockName)} is lost: ${why}`);
  }
}

/**
 * A node could not answer. The message contains its address and the reason, never a password. One of the `causes` of a
 * `StoreDownError`.
 */
export class NodeUnreachableError extends Error {
  override readonly name = 'NodeUnreachableError';

  /** @internal */
  constructor(
    /** Host and port of the node. */
    readonly address: string,
    /** The error of the connection or the server. */
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

/** No quorum: it is unknown which instance may run. Thrown if `onStoreDown` is `'throw'`. */
export class StoreDownError extends Error {
  override readonly name = 'StoreDownError';

  /** @internal */
  constructor(
    lockName: string,
    /** The error of each node that did not vote. */
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

/** The application shut down, and the run did not end within `shutdownTimeout`. The reason of its aborted `signal`. */
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

/** A name, shortened and on one line, for messages. */
export function quoted(name: string): string {
  return shown(name);
}

/** A value, shortened and on one line, for messages. */
function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : typeof value === 'function'
        ? 'a function'
        : printed(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** Some objects cannot be converted to a string, such as those without a prototype. */
function printed(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
