/** What the clock of a server says, as far as it has been heard: so that the server can tell what comes to it late. */
export class ServerClock {
  /** By how many milliseconds it is ahead of the monotonic clock of this process, at most. */
  private ahead = Number.NEGATIVE_INFINITY;

  /**
   * @param time What it said, in milliseconds since the epoch.
   * @param asked When it was asked, on the monotonic clock.
   */
  note(time: number, asked: number): void {
    this.ahead = time - asked;
  }

  /** What it says, at most, in `delay` milliseconds; long ago, while nothing has been heard of it. */
  after(delay: number): number {
    return Math.max(Math.ceil(this.ahead + performance.now() + delay), 1);
  }
}
