/** A reply that is to come. */
export interface PendingReply {
  /** Whether it is still waited for: it has not come, and is not late. */
  readonly isOpen: boolean;
}

/** One wait for a reply. */
interface Wait extends PendingReply {
  isOpen: boolean;
  readonly endsAt: number;
  readonly reject: (error: unknown) => void;
  /** The one that began next. */
  next: Wait | undefined;
}

/**
 * Gives every answer of one node the same time limit. As all limits are equal they end in the order in which they
 * began, so one timer serves them all.
 */
export class Deadline {
  /** A chain of waits: its oldest, which can have ended already, and its newest. */
  private first: Wait | undefined;
  private last: Wait | undefined;
  private open = 0;
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
    return this.open;
  }

  /**
   * What `read` makes of the reply, if it comes in time.
   *
   * @param ask Is told whether its reply is still waited for.
   * @param onLate Told of a reply that comes after that.
   * @param onFailure Told of what `ask` rejects with, however late.
   */
  within<Reply, Answer>(
    ask: (pending: PendingReply) => Promise<Reply>,
    read: (reply: Reply) => Answer,
    onLate?: (reply: Reply) => void,
    onFailure?: (error: unknown) => void,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const wait: Wait = { isOpen: true, endsAt: performance.now() + this.limit, reject, next: undefined };
      const asked = begun(ask, wait);
      // Only now: the node is at work meanwhile.
      this.begin(wait);
      asked.then(
        (reply) => {
          if (!this.end(wait)) return onLate?.(reply);
          try {
            resolve(read(reply));
          } catch (error) {
            this.fail(wait, error);
          }
        },
        (error: unknown) => {
          onFailure?.(error);
          if (this.end(wait)) this.fail(wait, error);
        },
      );
    });
  }

  private begin(wait: Wait): void {
    this.open++;
    this.oldest();
    if (this.last) this.last.next = wait;
    else this.first = wait;
    this.last = wait;
    this.timer ??= this.arm(this.limit);
  }

  /** Whether the wait had not ended before. */
  private end(wait: Wait): boolean {
    if (!wait.isOpen) return false;
    wait.isOpen = false;
    this.open--;
    return true;
  }

  /** The oldest wait that has not ended. */
  private oldest(): Wait | undefined {
    while (this.first && !this.first.isOpen) {
      const { next } = this.first;
      // V8 would keep what an old one leads to until a full collection.
      this.first.next = undefined;
      this.first = next;
    }
    if (!this.first) this.last = undefined;
    return this.first;
  }

  private fail({ reject }: Wait, error: unknown): void {
    try {
      reject(this.failure(error));
    } catch (thrown) {
      reject(thrown);
    }
  }

  private arm(delay: number): NodeJS.Timeout {
    // After a blocked event loop, timers come before the answers that have arrived meanwhile: those go first.
    return setTimeout(() => setImmediate(() => this.expire()), delay);
  }

  private expire(): void {
    this.timer = undefined;
    const now = performance.now();
    for (let wait = this.oldest(); wait; wait = this.oldest()) {
      if (wait.endsAt > now) {
        this.timer = this.arm(wait.endsAt - now);
        return;
      }
      this.end(wait);
      this.fail(wait, undefined);
    }
  }
}

/** What cannot even be asked has failed like any other question. */
function begun<Reply>(ask: (pending: PendingReply) => Promise<Reply>, pending: PendingReply): Promise<Reply> {
  try {
    return ask(pending);
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}
