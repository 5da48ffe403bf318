/** An outstanding reply. */
interface Wait {
  readonly endsAt: number;
  readonly reject: (error: unknown) => void;
  /** Returns what to reject with. */
  readonly late: () => Error;
}

type Failed = (error: unknown, isLate: boolean) => Error;

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
   * @param late Returns what to reject with if no reply came in time.
   */
  constructor(
    private readonly limit: number,
    private readonly late: () => Error,
  ) {}

  /**
   * Resolves to what `read` returns for the reply, or rejects with what `failed` returns for an error, if either comes
   * in time. `read` and `failed` are also called for a reply or an error that comes too late.
   *
   * @param late Returns what to reject with if no reply came in time. Default: that of the constructor.
   */
  within<Reply, Answer>(
    asked: Promise<Reply>,
    read: (reply: Reply, isLate: boolean) => Answer,
    failed: Failed,
    late = this.late,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const wait: Wait = { endsAt: performance.now() + this.limit, reject, late };
      this.waits.add(wait);
      this.timer ??= this.arm(this.limit);
      asked.then(
        (reply) => {
          const isLate = !this.waits.delete(wait);
          try {
            resolve(read(reply, isLate));
          } catch (error) {
            fail(wait, failed, error, isLate);
          }
        },
        (error: unknown) => fail(wait, failed, error, !this.waits.delete(wait)),
      );
    });
  }

  /** Stops the timer, so that the process can end. Replies that are still outstanding are no longer limited. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
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
      fail(wait, wait.late);
    }
  }
}

function fail({ reject }: Wait, failed: Failed, error?: unknown, isLate = true): void {
  try {
    reject(failed(error, isLate));
  } catch (thrown) {
    reject(thrown);
  }
}
