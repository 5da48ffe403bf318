/** A connection on which a command was not answered in time. */
export class Suspicion {
  /** Resolves when it is known whether the connection still works. */
  readonly over: Promise<void>;
  /** Whether neither connection has answered. */
  wasFutile = false;
  private resolve: (() => void) | undefined;

  constructor() {
    this.over = new Promise((resolve) => (this.resolve = resolve));
  }

  end(): void {
    this.resolve?.();
  }
}
