import type { EndedRunEvent } from '../runs/run-event.js';
import type { RedlockEvents } from '../services/redlock-events.service.js';

/** How a run has ended. */
export interface RunEnd {
  /** As in its record: `'aborted'` if its signal had aborted, whatever the routine did then. */
  readonly outcome: 'finished' | 'failed' | 'aborted';
  /** What the routine threw; otherwise, why the signal aborted, if it did. */
  readonly error?: unknown;
}

/** Calls `listener` at the end of each run. */
export function onEnd(events: RedlockEvents, listener: (event: EndedRunEvent, end: RunEnd) => void): void {
  const aborted = new Map<string, Error>();
  const reasonOf = (runId: string): Error | undefined => {
    const reason = aborted.get(runId);
    aborted.delete(runId);
    return reason;
  };
  events.on('aborted', ({ runId, error }) => aborted.set(runId, error));
  events.on('finished', (event) => {
    const error = reasonOf(event.runId);
    listener(event, error ? { outcome: 'aborted', error } : { outcome: 'finished' });
  });
  events.on('failed', ({ error, ...event }) => {
    listener(event, { outcome: reasonOf(event.runId) ? 'aborted' : 'failed', error });
  });
}
