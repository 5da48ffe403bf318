import type { Pause } from '../nodes/job-view.js';
import { isInForce } from '../nodes/pause-order.js';

/** A pause of a job. */
export interface JobPause {
  /** The name of the instance that paused it. */
  readonly by: string;
  /** When it was paused, by the clock of that instance. */
  readonly at: Date;
  /** When it ends by itself; `null`: never. */
  readonly until: Date | null;
  /** The note that was passed to `pause`, as it is: escape it where you show it. */
  readonly note: string | null;
}

/** The detail of a pause, as text. Times are in milliseconds since the epoch. */
export function encodePause(by: string, at: number, note: string | undefined): string {
  return JSON.stringify({ by, at, note });
}

/** The pause that a node knows, unless it has ended. */
export function decodePause(pause: Pause | undefined, now: number): JobPause | null {
  if (!isInForce(pause, now)) return null;
  const { by = '', at = 0, note = null } = parsed(pause.detail);
  return {
    by,
    at: new Date(at),
    until: pause.until === undefined ? null : new Date(pause.until),
    note,
  };
}

/**
 * When the newest pause of a job has ended, in milliseconds since the epoch; `now` if it has not, and `undefined` if no
 * pause is known.
 */
export function endOfPause(pause: Pause | undefined, now: number): number | undefined {
  if (!pause) return undefined;
  const end = pause.isPaused ? pause.until : parsed(pause.detail).at;
  return Math.min(end ?? now, now);
}

function parsed(detail: string): { by?: string; at?: number; note?: string } {
  try {
    return Object(JSON.parse(detail)) as object;
  } catch {
    return {};
  }
}
