/** An outstanding reply. */
interface Wait {
  readonly endsAt: number;
  readonly reject: (error: unknown) => void;
}

/**
 * Applies one time limit to every answer of a node. All limits are equal, so they expire in the order in which they
 * began, and one timer serves them all.
 */
export class Deadline {
  /** In the order in which they expire: a `Set` keeps the order of insertion. */
  private readonly waits = new Set<Wait>();
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param limit In milliseconds.
   * @param failure Called with each failure, or `undefined` if no reply came in time; returns what to reject with.
   */
  constructor(
    private readonly limit: number,
    private readonly failure: (error: unknown) => Error,
  ) {}

  /**
   * Resolves to what `read` returns for the reply, if it comes in time.
   *
   * @param onLate Called with a reply that comes after that.
   * @param onFailure Called with a rejection of `asked`, however late.
   */
  within<Reply, Answer>(
    asked: Promise<Reply>,
    read: (reply: Reply) => Answer,
    onLate?: (reply: Reply) => void,
    onFailure?: (error: unknown) => void,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const wait: Wait = { endsAt: performance.now() + this.limit, reject };
      this.waits.add(wait);
      this.timer ??= this.arm(this.limit);
      asked.then(
        (reply) => {
          if (!this.waits.delete(wait)) return onLate?.(reply);
          try {
            resolve(read(reply));
          } catch (error) {
            this.fail(wait, error);
          }
        },
        (error: unknown) => {
          onFailure?.(error);
          if (this.waits.delete(wait)) this.fail(wait, error);
        },
      );
    });
  }

  /** Stops the timer, so that the process can end. Replies that are still outstanding are no longer limited. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private fail({ reject }: Wait, error: unknown): void {
    try {
      reject(this.failure(error));
    } catch (thrown) {
      reject(thrown);
    }
  }

  private arm(delay: number): NodeJS.Timeout {
    // After a blocked event loop, timers run before the answers that have arrived meanwhile. `setImmediate` lets these
    // go first. A wait that ends only after `now` gets another round, for the same reason.
    return setTimeout(() => {
      const now = performance.now();
      setImmediate(() => this.expire(now));
    }, delay);
  }

  private expire(now: number): void {
    this.timer = undefined;
    for (const wait of this.waits) {
      if (wait.endsAt > now) {
        this.timer = this.arm(Math.max(0, wait.endsAt - performance.now()));
        return;
      }
      this.waits.delete(wait);
      this.fail(wait, undefined);
    }
  }
}
