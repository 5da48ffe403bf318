import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { messageOf } from './display.js';

const logger = new Logger('RedlockModule');

/**
 * Calls a function in the async context in which this module was loaded: outside any firing, run and request (unless a
 * request loaded the package). Work that outlives the call that led to it needs this: otherwise, timers that set each
 * other would keep the context of that call.
 */
export const outsideCalls = AsyncLocalStorage.snapshot();

/**
 * Does work that belongs to no call. A failure is logged.
 *
 * @param what What the work is, as the subject of "… failed".
 */
export function inBackground(what: string, work: () => Promise<unknown>): Promise<void> {
  return outsideCalls(() => loggingFailure(what, work));
}

/**
 * Does work that no caller waits for, in the async context of its caller. A failure is logged: an unhandled rejection
 * would end the process.
 *
 * @param what What the work is, as the subject of "… failed".
 */
export async function loggingFailure(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logFailure(what, error);
  }
}

/** @param what What the work was, as the subject of "… failed". */
export function logFailure(what: string, error: unknown): void {
  logger.error(`${what} failed: ${messageOf(error)}`, framesOf(error));
}

/** The stack of an error without its message: the message may contain a secret, or the stack of another error. */
function framesOf(error: unknown): string {
  const stack = stackOf(error);
  // An application may replace stacks by something other than strings.
  const lines = typeof stack === 'string' ? stack.split('\n') : [];
  return lines.slice(lines.findLastIndex((line) => !/^\s+at /.test(line)) + 1).join('\n');
}

function stackOf(error: unknown): unknown {
  try {
    return error instanceof Error ? error.stack : undefined;
  } catch {
    return undefined;
  }
}
