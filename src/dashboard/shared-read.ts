/** How long what was read is good enough for all viewers, in milliseconds. */
export const REFRESH = 3000;

/** A read that is done at most once per refresh, however many viewers ask. `read` must not reject. */
export class SharedRead<T> {
  private begunAt = Number.NEGATIVE_INFINITY;
  private isReading = false;
  private latest: Promise<T> | undefined;

  constructor(private readonly read: () => Promise<T>) {}

  /** What was read last, if that was a moment ago; otherwise, what a new read says. */
  get(): Promise<T> {
    const isFresh = this.isReading || performance.now() - this.begunAt < REFRESH;
    return isFresh && this.latest ? this.latest : this.begin();
  }

  /** The result of a new read, for a viewer who has just changed something. */
  async renewed(): Promise<T> {
    if (this.isReading) await this.latest;
    return this.begin();
  }

  private begin(): Promise<T> {
    this.begunAt = performance.now();
    this.isReading = true;
    this.latest = this.read().finally(() => {
      this.isReading = false;
    });
    return this.latest;
  }
}
