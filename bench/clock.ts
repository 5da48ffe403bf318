/**
 * The `Date` of this process, moved by hand, so that a new tick need not be waited for. It begins in the past: a tick
 * that is ahead of the clock of Redis would be found early, one that is behind it is claimed like any other.
 */

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How far into a minute the clock is set, in milliseconds: ticks are at its beginning. */
const INTO = 1000;

const systemNow = Date.now;
let offset = 0;

/** Sets the clock back, farther than it is moved on later. */
export function startInThePast(): void {
  offset = -30 * DAY;
  Date.now = () => systemNow() + offset;
}

/** Moves the clock on to the beginning of the next minute: jobs that run every minute have a new tick. */
export function newMinute(): Promise<void> {
  offset += MINUTE + INTO - (Date.now() % MINUTE);
  return Promise.resolve();
}
