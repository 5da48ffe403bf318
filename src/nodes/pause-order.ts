import type { Pause } from './job-view.js';

/** Whether a pause replaces the known one. */
export function isNewer(pause: Pause, known: Pause): boolean {
  if (pause.version !== known.version) return pause.version > known.version;
  if (pause.isPaused !== known.isPaused) return known.isPaused;
  return pause.detail > known.detail;
}

/** Whether a pause counts at `now`, in milliseconds since the epoch. */
export function isInForce(pause: Pause | undefined, now: number): pause is Pause {
  return pause?.isPaused === true && (pause.until === undefined || pause.until > now);
}
