/** The delays, in milliseconds: a server that is busy, or short of replicas, often recovers within a moment. */
const SHORTEST = 100;
const LONGEST = 1000;

/** Calls back after a delay, which doubles each time until `reset`. */
export class RetryTimer {
  private delay = SHORTEST;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(private readonly retry: () => void) {}

  /** Calls back later, unless it is going to do so already. */
  start(): void {
    if (this.isStopped) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.delay = Math.min(2 * this.delay, LONGEST);
      this.retry();
    }, this.delay).unref();
  }

  /** The next delay is the shortest again. */
  reset(): void {
    this.delay = SHORTEST;
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }
}
