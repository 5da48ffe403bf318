/**
 * The `Date.now` of this process, moved by hand, so that a new tick need not be waited for. It begins in the past: a
 * tick that is ahead of the clock of Redis would be early, but one that is behind it is claimed like any other.
 */

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** The real time, by the clock that nobody moved. */
export const realNow = Date.now;
let offset = -30 * DAY;
Date.now = () => realNow() + offset;

/** Moves the clock to the beginning of the next minute: jobs that run every minute have a new tick. */
export function newMinute(): void {
  offset += MINUTE - (Date.now() % MINUTE) + 1000;
}
