/** An estimate of a server's clock, from which each command gets a deadline that the server can check. */
export class ServerClock {
  /** How far it is ahead of the monotonic clock of this process, at most, in milliseconds. */
  private ahead = Number.NEGATIVE_INFINITY;

  /**
   * @param time The server's time, in milliseconds since the epoch.
   * @param asked When it was asked, on the monotonic clock.
   */
  note(time: number, asked: number): void {
    this.ahead = time - asked;
  }

  /** An upper bound for the server's clock `delay` milliseconds from now; a time in the past until it is known. */
  after(delay: number): number {
    return Math.max(Math.ceil(this.ahead + performance.now() + delay), 1);
  }
}

/** The reply to `TIME` in milliseconds since the epoch; `undefined` if it is not one. */
export function serverTime(reply: unknown): number | undefined {
  if (!Array.isArray(reply)) return undefined;
  const time = Number(reply[0]) * 1000 + Number(reply[1]) / 1000;
  return Number.isFinite(time) ? time : undefined;
}
