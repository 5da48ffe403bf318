import { sleep, systemClock } from '../clock.js';

/** What `work` resolves to, or `otherwise` after `limit` milliseconds. Its timer ends with the work. */
export async function within<T>(work: Promise<T>, limit: number, otherwise: T): Promise<T> {
  const isOver = new AbortController();
  try {
    return await Promise.race([work, sleep(systemClock, limit, isOver.signal).then(() => otherwise)]);
  } finally {
    isOver.abort();
  }
}
