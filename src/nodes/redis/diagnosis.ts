import type { Redis } from 'ioredis';
import { CLOSED, explained } from './causes.js';
import { type Handshake, watchHandshake } from './handshake.js';

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
  begin(server: Redis, onLoading: (why: string) => void): void {
    this.end();
    this.handshake = watchHandshake(server, this.patience, onLoading);
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
