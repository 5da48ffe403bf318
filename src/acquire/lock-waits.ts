import { type Clock, sleep } from '../clock.js';
import { onAbort } from '../on-abort.js';

/** The claims of this instance that wait for a lock. If this instance frees it, they try again at once. */
export class LockWaits {
  private readonly waiting = new Map<string, Set<AbortController>>();

  constructor(private readonly clock: Clock) {}

  /** Resolves after `delay` milliseconds, or as soon as `lock` is freed or `signal` aborts. */
  async sleep(lock: string, delay: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const end = new AbortController();
    const waiting = this.waiting.get(lock) ?? new Set();
    this.waiting.set(lock, waiting.add(end));
    const ignoreAbort = onAbort(signal, () => end.abort());
    await sleep(this.clock, delay, end.signal);
    ignoreAbort();
    waiting.delete(end);
    if (waiting.size === 0) this.waiting.delete(lock);
  }

  /** Ends the waits for a lock that this instance has freed. */
  freed(lock: string): void {
    for (const end of this.waiting.get(lock) ?? []) end.abort();
  }
}
