import type { Pause } from './job-view.js';

/** Whether a pause replaces the known one: see `Pause.version`. The script `PAUSE` has the same order. */
export function isNewer(pause: Pause, known: Pause): boolean {
  if (pause.version !== known.version) return pause.version > known.version;
  if (pause.isPaused !== known.isPaused) return known.isPaused;
  if (pause.until !== known.until) return endOf(pause) < endOf(known);
  return Buffer.compare(Buffer.from(pause.detail), Buffer.from(known.detail)) > 0;
}

/** The newest of what nodes know about the pause of a job; `undefined` if none knows of one. */
export function newestOf(known: readonly (Pause | undefined)[]): Pause | undefined {
  let newest: Pause | undefined;
  for (const each of known) if (each && (!newest || isNewer(each, newest))) newest = each;
  return newest;
}

/** Whether a pause counts at `now`, in milliseconds since the epoch. */
export function isInForce(pause: Pause | undefined, now: number): pause is Pause {
  return pause?.isPaused === true && (pause.until === undefined || pause.until > now);
}

function endOf({ until = Number.POSITIVE_INFINITY }: Pause): number {
  return until;
}
