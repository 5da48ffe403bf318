import type { Redis } from 'ioredis';
import { explained } from './causes.js';

/** How much of what a server sends is kept, in characters: the reply to `INFO` is shorter. */
const KEPT = 20_000;

/** A new connection that cannot be used yet. */
export interface Handshake {
  /** What the server has sent so far. */
  greeting: string;
  /** Whether the connection was given up because the server sent nothing, or nothing more. */
  isGivenUp: boolean;
  /** Ends the watch. */
  end(): void;
}

/**
 * Watches a connection that has just been opened, and gives it up if the server is silent.
 *
 * @param patience How long the server may send nothing, in milliseconds.
 * @param onLoading Called when the server says that it is loading its data: ioredis waits, and does not say so.
 */
export function watchHandshake(
  { stream, options }: Redis,
  patience: number,
  onLoading: (why: string) => void,
): Handshake {
  const read = (chunk: Buffer): void => {
    const sent = chunk.toString('latin1');
    handshake.greeting = (handshake.greeting + sent).slice(0, KEPT);
    const isLoading = /^loading:1\r?$/m.test(sent);
    if (isLoading) onLoading(explained(new Error('LOADING')));
    // ioredis asks again when the server should have finished, but at the latest after `maxLoadingRetryTime`.
    waitFor(patience + (isLoading ? (options.maxLoadingRetryTime ?? 0) : 0));
  };
  const giveUp = (): void => {
    handshake.isGivenUp = true;
    stream.destroy();
  };
  let timer: NodeJS.Timeout | undefined;
  let isDue: NodeJS.Immediate | undefined;
  // The wait begins again whenever the server sends something: a network can drop the connection at any time.
  const waitFor = (time: number): void => {
    stop();
    // `setImmediate`: after a blocked event loop, timers run before the answers that have arrived meanwhile.
    timer = setTimeout(() => (isDue = setImmediate(giveUp)), time).unref();
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
  waitFor(patience);
  // Before ioredis reads it, and perhaps emits an error.
  stream.prependListener('data', read);
  return handshake;
}
