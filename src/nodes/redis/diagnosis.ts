import type { Redis } from 'ioredis';
import { CLOSED, explained } from './causes.js';

/** How much of what a server sends is kept, in characters: the reply to `INFO` is shorter. */
const KEPT = 20_000;

/** A new connection that cannot be used yet. */
interface Handshake {
  /** What the server has sent so far. */
  greeting: string;
  /** Whether the connection was given up because the server sent nothing, or nothing more. */
  isGivenUp: boolean;
  end(): void;
}

/**
 * Finds out why a connection cannot be used. The error of a socket does not say why; what the server has sent before
 * often does.
 */
export class Diagnosis {
  private handshake: Handshake | undefined;
  /** The meaning of each error, noted when it occurred: later, it is not known what the server had sent by then. */
  private readonly meanings = new WeakMap<Error, string>();

  /** @param patience How long a server may send nothing on a new connection before it is given up, in milliseconds. */
  constructor(
    private readonly isTls: boolean,
    private readonly patience: number,
  ) {}

  /**
   * A connection has been opened.
   *
   * @param onLoading Called when the server says that it is loading its data: ioredis waits, and does not say so.
   */
  begin({ stream, options }: Redis, onLoading: (why: string) => void): void {
    this.end();
    const read = (chunk: Buffer): void => {
      const sent = chunk.toString('latin1');
      handshake.greeting = (handshake.greeting + sent).slice(0, KEPT);
      const isLoading = /^loading:1\r?$/m.test(sent);
      if (isLoading) onLoading(explained(new Error('LOADING')));
      // ioredis asks again when the server should have finished, but at the latest after `maxLoadingRetryTime`.
      waitFor(this.patience + (isLoading ? (options.maxLoadingRetryTime ?? 0) : 0));
    };
    const giveUp = (): void => {
      handshake.isGivenUp = true;
      stream.destroy();
    };
    let timer: NodeJS.Timeout | undefined;
    let isDue: NodeJS.Immediate | undefined;
    // The wait begins again whenever the server sends something: a network can drop the connection at any time.
    const waitFor = (patience: number): void => {
      stop();
      // `setImmediate`: after a blocked event loop, timers run before the answers that have arrived meanwhile.
      timer = setTimeout(() => (isDue = setImmediate(giveUp)), patience).unref();
    };
    const stop = (): void => {
      clearTimeout(timer);
      clearImmediate(isDue);
    };
    const end = (): void => {
      stop();
      stream.off('data', read);
    };
    const handshake: Handshake = { greeting: '', isGivenUp: false, end };
    this.handshake = handshake;
    waitFor(this.patience);
    // Before ioredis reads it, and perhaps emits an error.
    stream.prependListener('data', read);
  }

  /** The connection can be used, or has ended. */
  end(): void {
    this.handshake?.end();
    this.handshake = undefined;
  }

  /** What an error that has just occurred means. */
  ofNew(error: Error): string {
    const { isTls, handshake } = this;
    const meaning = explained(error, { isTls, greeting: handshake?.greeting });
    this.meanings.set(error, meaning);
    return meaning;
  }

  /** What an error means. */
  of(error: Error): string {
    return this.meanings.get(error) ?? explained(error, { isTls: this.isTls });
  }

  /** Why the connection has ended. */
  ofEnd(): string {
    return this.handshake?.isGivenUp ? noAnswer(this.patience) : this.ofNew(new Error(CLOSED));
  }

  /** @param isConnecting Whether the connection has not been opened yet. */
  ofSilence(limit: number, isConnecting: boolean): string {
    return noAnswer(limit) + (isConnecting && this.isTls ? ': does it speak TLS?' : '');
  }
}

/** What is said of a connection that is silent. */
export function noAnswer(limit: number): string {
  return `no answer within ${limit} ms`;
}
