/** What the routines of a test wait for. It is open at first. */
export class Gate {
  until: Promise<void> = Promise.resolve();
  private resolve: (() => void) | undefined;

  close(): void {
    this.until = new Promise<void>((resolve) => (this.resolve = resolve));
  }

  open(): void {
    this.resolve?.();
    this.until = Promise.resolve();
  }
}
