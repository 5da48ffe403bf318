import { sleep, systemClock } from '../clock.js';

/** What `work` resolves to, or `undefined` after `limit` milliseconds. Its timer ends with the work. */
export async function within<T>(work: Promise<T>, limit: number): Promise<T | undefined> {
  const isOver = new AbortController();
  try {
    return await Promise.race([work, sleep(systemClock, limit, isOver.signal).then(() => undefined)]);
  } finally {
    isOver.abort();
  }
}
