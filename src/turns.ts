import * as timers from 'node:timers';

// The real ones: otherwise a test with fake timers would hold up all turns of its process.
const { setImmediate, setTimeout } = timers;

/** How long the event loop is free for other work between two turns, in milliseconds. */
const PAUSE = 1;

let lastTurn: Promise<void> = Promise.resolve();

/**
 * Resolves when it is the caller's turn. Turns are given one at a time, in the order of the calls, and the event loop
 * completes a round between two of them: work that can wait takes one turn for each piece, so that it never delays
 * other work by more than one piece. A turn does not keep the process alive.
 */
export function turn(): Promise<void> {
  lastTurn = lastTurn.then(
    () =>
      new Promise((resolve) => {
        // Several timers can be due in one round of the event loop, but an immediate comes in the next one.
        setTimeout(() => setImmediate(resolve), PAUSE).unref();
      }),
  );
  return lastTurn;
}
