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

  /**
   * @param limit In milliseconds.
   * @param failure Told of each failure; returns what to reject with. `undefined`: no reply came in time.
   */
  constructor(
    private readonly limit: number,
    private readonly failure: (error: unknown) => Error,
  ) {}

  /** How many replies are waited for. */
  get waiting(): number {
    return this.pending.size;
  }

  /**
   * What `read` makes of the reply, if it comes in time; `late` gets a reply that comes after that.
   *
   * @param ask Is told how to find out whether its reply is still waited for.
   */
  within<Reply, Answer>(
    ask: (isInTime: () => boolean) => Promise<Reply>,
    read: (reply: Reply) => Answer,
    late?: (reply: Reply) => void,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const fail = (error: unknown): void => {
        try {
          reject(this.failure(error));
        } catch (thrown) {
          reject(thrown);
        }
      };
      const pending: Pending = {
        endsAt: performance.now() + this.limit,
        expire: () => fail(undefined),
      };
      this.pending.add(pending);
      this.timer ??= this.arm(this.limit);
      ask(() => this.pending.has(pending)).then(
        (value) => {
          if (!this.pending.delete(pending)) return late?.(value);
          try {
            resolve(read(value));
          } catch (error) {
            fail(error);
          }
        },
        (error: unknown) => {
          if (this.pending.delete(pending)) fail(error);
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
