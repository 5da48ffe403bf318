interface Pending {
  readonly endsAt: number;
  readonly expire: () => void;
}

/**
 * Gives every answer of one node the same time limit. As all limits are equal they end in the order in which they
 * began, so one timer serves them all.
 */
export class Deadline {
  private readonly pending = new Set<Pending>();
  private timer: NodeJS.Timeout | undefined;

  /** @param limit In milliseconds. */
  constructor(private readonly limit: number) {}

  /** The answer, or a rejection with `expired()` when it does not come in time; then `late` gets it when it comes. */
  within<T>(answer: Promise<T>, expired: () => Error, late?: (value: T) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const pending: Pending = { endsAt: performance.now() + this.limit, expire: () => reject(expired()) };
      this.pending.add(pending);
      this.timer ??= this.arm(this.limit);
      answer.then(
        (value) => {
          if (this.pending.delete(pending)) resolve(value);
          else late?.(value);
        },
        (error: unknown) => {
          if (this.pending.delete(pending)) reject(error);
        },
      );
    });
  }

  private arm(delay: number): NodeJS.Timeout {
    // After a blocked event loop, timers come before the answers that have arrived meanwhile: those go first.
    return setTimeout(() => setImmediate(() => this.expire()), delay);
  }

  private expire(): void {
    this.timer = undefined;
    const now = performance.now();
    for (const pending of this.pending) {
      if (pending.endsAt > now) {
        this.timer = this.arm(pending.endsAt - now);
        return;
      }
      this.pending.delete(pending);
      pending.expire();
    }
  }
}
