import { Logger } from '@nestjs/common';
import { messageOf } from './display.js';

const logger = new Logger('RedlockModule');

/**
 * Bookkeeping that no caller waits for. A failure is logged: an unhandled rejection would end the process.
 *
 * @param what What has failed, as the beginning of a sentence.
 */
export async function inBackground(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logger.error(`${what} failed: ${messageOf(error)}`, framesOf(error));
  }
}

/** The stack of an error without its message, which may contain a secret. */
function framesOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return /^\s+at .*/ms.exec(stack)?.[0] ?? '';
}
