import { isShownInFull, quoted, redacted, oneLine, shown, textOf } from './display.js';

/** The `code` of an error that this package throws. */
export type RedlockErrorCode =
  | 'ERR_INVALID_OPTION'
  | 'ERR_LOCK_LOST'
  | 'ERR_NODE_UNREACHABLE'
  | 'ERR_NOT_INJECTED'
  | 'ERR_RUN_TIMEOUT'
  | 'ERR_SHUTDOWN'
  | 'ERR_STORE_DOWN';

/** The base class of all errors that this package throws. Their messages are one line, and contain no password. */
export abstract class RedlockError extends Error {
  /** Identifies the kind of error. Unlike the message, it does not change. */
  abstract readonly code: RedlockErrorCode;

  /** @internal */
  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
  }
}

/** What is known about an invalid option. */
interface InvalidValue {
  /** What was passed. */
  readonly received?: unknown;
  /** What was thrown when the option was read. */
  readonly cause?: unknown;
  /** What the message calls the option. Default: its name. */
  readonly subject?: string;
}

/**
 * An option, an argument, a name or the place of a decorator is invalid. The message says where, which value was
 * received, and what is valid. Thrown where it is set, or when the application starts.
 */
export class InvalidOptionError extends RedlockError {
  override readonly name = 'InvalidOptionError';
  readonly code = 'ERR_INVALID_OPTION';
  /** The name of the option or argument, such as `'ttl'` or `'nodes[0].host'`. */
  readonly option: string;
  /**
   * The invalid value. Omitted if it is an object, a function or a symbol, is too long for a message, or may contain a
   * secret.
   */
  declare readonly value?: unknown;

  /**
   * @internal
   * @param where Where the option was set, such as `lock()`.
   * @param problem The rest of the sentence that begins with the option, such as `must be true or false`.
   */
  constructor(where: string, option: string, problem: string, details: InvalidValue = {}) {
    const { received, cause, subject = option } = details;
    const hasValue = 'received' in details;
    super(
      `${where}: ${subject} ${problem}${hasValue ? `; received ${shown(received)}` : ''}`,
      'cause' in details ? { cause } : undefined,
    );
    this.option = redacted(option);
    if (hasValue && isShownInFull(received)) this.value = received;
  }
}

/** A method with `@Exclusive` was called on an object that Nest did not create, so no module guards the call. */
export class NotInjectedError extends RedlockError {
  override readonly name = 'NotInjectedError';
  readonly code = 'ERR_NOT_INJECTED';

  /** @internal */
  constructor(place: string, copies?: string) {
    super(
      `${place} was called on an object that Nest did not create, or that is still in its constructor. Get the object ` +
        'from the application or from a test module. If a factory returns it, its methods can be called once the ' +
        'application has started, or, for a module that is loaded lazily, once it has been loaded' +
        (copies === undefined ? '' : `. ${copies}`),
    );
  }
}

/**
 * A lock is no longer held, and another instance may hold it now: its lease ended, or could not be kept, while it was
 * in use, or `extend` was called after its release. The reason of an aborted `signal`; also thrown by `extend`.
 */
export class LockLostError extends RedlockError {
  override readonly name = 'LockLostError';
  readonly code = 'ERR_LOCK_LOST';

  /** @internal */
  constructor(
    /** The name of the job or lock. */
    readonly jobName: string,
    why: string,
    options?: ErrorOptions,
  ) {
    super(`The lock of ${quoted(jobName)} is lost: ${why}`, options);
  }
}

/**
 * A node could not answer. The message contains its address and the reason, never a password. One of the `causes` of a
 * `StoreDownError`.
 */
export class NodeUnreachableError extends RedlockError {
  override readonly name = 'NodeUnreachableError';
  readonly code = 'ERR_NODE_UNREACHABLE';
  /** The address of the node, such as its host and port. */
  readonly address: string;
  /** The error of the connection or the server. */
  readonly reason: string;

  /** @internal */
  constructor(
    address: string,
    reason: string,
    /**
     * @internal What failed. `'connection'`: the connection; for a custom node, anything but `'slow'`. `'server'`: the
     * node refuses to vote at all. `'lock'`: the node refuses one lock, or a server of a Cluster is silent (for a
     * claim: the one that has the lock); the node may vote on others. `'command'`: the node refuses a command that is
     * no vote, and may carry out others. `'slow'`: only this answer is late. `'unsent'`: the command was not sent, or
     * an inspection got no answer (`'lock'` if only a part of a Cluster is silent).
     */
    readonly scope: 'connection' | 'server' | 'lock' | 'command' | 'slow' | 'unsent' = 'connection',
    /** What the message calls the node. */
    title = `Node ${address}`,
  ) {
    const [safeAddress, safeReason] = [redacted(address), redacted(reason)];
    super(`${redacted(title)}: ${safeReason}`);
    this.address = safeAddress;
    this.reason = safeReason;
  }
}

/**
 * Too many nodes failed. Thrown by a call without a quorum if `onStoreDown` is `'throw'`; by `pause` and `resume`
 * without a majority; and by `history`, `status` and `fleet` if no node answers.
 */
export class StoreDownError extends RedlockError {
  override readonly name = 'StoreDownError';
  readonly code = 'ERR_STORE_DOWN';
  /** The addresses of the nodes that failed. */
  readonly nodes: readonly string[];

  /** @internal */
  constructor(
    /** The name of the job or lock; empty if it is about none. */
    readonly jobName: string,
    /** The error of each node that did not vote. `cause` is the first one. */
    readonly causes: readonly Error[],
    problem = `Could not acquire the lock of ${quoted(jobName)}`,
  ) {
    const reasons = causes.map(({ message }) => redacted(message));
    super(`${problem}. ${reasons.join('. ')}`, { cause: causes[0] });
    this.nodes = causes.flatMap((cause) => (cause instanceof NodeUnreachableError ? [cause.address] : []));
  }
}

/** A run took longer than its `maxRuntime`. The reason of its aborted `signal`. */
export class RunTimeoutError extends RedlockError {
  override readonly name = 'RunTimeoutError';
  readonly code = 'ERR_RUN_TIMEOUT';

  /** @internal */
  constructor(
    /** The name of the job. */
    readonly jobName: string,
    /** The limit, in milliseconds. */
    readonly maxRuntime: number,
  ) {
    super(`The run of ${quoted(jobName)} took longer than its maxRuntime of ${maxRuntime} ms`);
  }
}

/**
 * The application shut down, and the run did not end within `shutdownTimeout`, or the lock was still held: the reason
 * of the aborted `signal`. Also thrown if the shutdown refuses a retry, or a call inside a run of the same firing.
 */
export class ShutdownError extends RedlockError {
  override readonly name = 'ShutdownError';
  readonly code = 'ERR_SHUTDOWN';

  /** @internal */
  constructor(
    /** The name of the job or lock. */
    readonly jobName: string,
    what: 'lock' | 'run' | 'run that another instance takes over' | 'call' = 'run',
  ) {
    super(AT_SHUTDOWN[what](quoted(jobName)));
  }
}

/** The messages of `ShutdownError`. */
const AT_SHUTDOWN = {
  lock: (name: string) => `The lock of ${name} was still held when the application shut down`,
  run: (name: string) => `The run of ${name} was not over when the application shut down`,
  'run that another instance takes over': (name: string) =>
    `The run of ${name} was not over when the application shut down: another instance takes over its tick`,
  call: (name: string) => `${name} was not run, because the application is shutting down`,
};

/** What was thrown, as an `Error` that can be read: code outside this package may throw anything. */
export function errorOf(thrown: unknown): Error {
  return isReadableError(thrown) ? thrown : new Error(textOf(thrown));
}

function isReadableError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error && typeof thrown.name === 'string' && typeof thrown.message === 'string';
  } catch {
    return false;
  }
}
