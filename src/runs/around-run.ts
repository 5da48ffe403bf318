import { quoted } from '../display.js';
import { logFailure } from '../in-background.js';
import type { RunEvent } from '../events/events.js';

/** Calls the routine of a run, once, in the context of something, such as a span. */
export type AroundRun = (event: RunEvent, routine: () => void) => void;

/**
 * Calls `routine` once, inside `around`, and returns or throws what it did. If `around` itself fails, that is logged;
 * the routine is called anyway.
 */
export function wrapped<T>(around: AroundRun, event: RunEvent, routine: () => T): T {
  let end: (() => T) | undefined;
  const run = (): (() => T) => (end ??= endOf(routine));
  try {
    around(event, run);
  } catch (error) {
    logFailure(`Telemetry of ${quoted(event.name)}`, error);
  }
  return run()();
}

/** Calls `work`, and returns a function that returns or throws what it did. */
function endOf<T>(work: () => T): () => T {
  try {
    const value = work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
