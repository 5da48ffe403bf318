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
    logger.error(`${what} failed: ${messageOf(error)}`, error instanceof Error ? error.stack : '');
  }
}
