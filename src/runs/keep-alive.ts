import { clearInterval, setInterval } from 'node:timers';
import { outsideCalls } from '../in-background.js';

/** The longest interval that Node.js allows, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * Keeps the process alive while runs are in progress. The timers of their leases do not, and a run may wait for nothing
 * but its `signal`.
 */
export class KeepAlive {
  private timer: NodeJS.Timeout | undefined;

  begin(): void {
    this.timer ??= outsideCalls(() => setInterval(() => {}, LONGEST));
    this.timer.ref();
  }

  end(): void {
    this.timer?.unref();
  }

  /** Ends it for good. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
