import type { Pause } from '../nodes/job-view.js';
import { isInForce } from '../nodes/pause-order.js';

/** A pause of a job. */
export interface JobPause {
  /** The name of the instance that paused it. */
  readonly by: string;
  /** When that was, by the clock of that instance. */
  readonly at: Date;
  /** Since when the job has been paused: earlier than `at` if this pause has replaced another one. */
  readonly since: Date;
  /** When it ends by itself; `null`: never. */
  readonly until: Date | null;
  /** The note that was passed to `pause`, as it is: escape it where you show it. */
  readonly note: string | null;
}

/** When a job was paused. Times are in milliseconds since the epoch. */
export interface PausedTime {
  readonly from: number;
  readonly to: number;
}

/** What is written about a pause, or its end. Times are in milliseconds since the epoch. */
interface Detail {
  /** The name of the instance that has paused or resumed the job. */
  readonly by: string;
  /** When it did so. */
  readonly at: number;
  readonly note?: string;
  /** Since when the job was paused, if that was not `at`. */
  readonly from?: number;
  /** When the pause ended; not set if there was none. */
  readonly to?: number;
}

/**
 * The detail of a pause, as text.
 *
 * @param known What the nodes know. If the job is paused already, the new pause continues that one.
 */
export function detailOfPause(
  { by, at, note }: Pick<Detail, 'by' | 'at' | 'note'>,
  known: Pause | undefined,
): string {
  const from = isInForce(known, at) ? pausedTime(known, at)?.from : undefined;
  return JSON.stringify({ by, at, note, from } satisfies Detail);
}

/**
 * The detail of the end of a pause, as text.
 *
 * @param known What the nodes know: the pause, or that it has ended already.
 */
export function detailOfEnd(by: string, at: number, known: Pause | undefined): string {
  return JSON.stringify({ by, at, ...pausedTime(known, at) } satisfies Detail);
}

/** The pause that a node knows, unless it has ended. */
export function decodePause(pause: Pause | undefined, now: number): JobPause | null {
  if (!isInForce(pause, now)) return null;
  const { by = '', at = 0, from = at, note = null } = parsed(pause.detail);
  return {
    by,
    at: new Date(at),
    since: new Date(from),
    until: pause.until === undefined ? null : new Date(pause.until),
    note,
  };
}

/**
 * When the newest pause of a job has ended, in milliseconds since the epoch; `now` if it has not, and `undefined` if no
 * pause is known.
 */
export function endOfPause(pause: Pause | undefined, now: number): number | undefined {
  return pausedTime(pause, now)?.to;
}

/** When the job was paused for the last time, as far as is known; until `now` if it still is. */
export function pausedTime(pause: Pause | undefined, now: number): PausedTime | undefined {
  if (!pause) return undefined;
  const { at = now, from, to } = parsed(pause.detail);
  if (pause.isPaused) return { from: from ?? at, to: Math.min(pause.until ?? now, now) };
  return from === undefined || to === undefined ? undefined : { from, to: Math.min(to, now) };
}

function parsed(detail: string): Partial<Detail> {
  try {
    return Object(JSON.parse(detail)) as object;
  } catch {
    return {};
  }
}
