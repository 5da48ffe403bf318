import { InvalidOptionError } from '../errors.js';

/** Calls `work`. The stack of an error about an option begins where the application calls `entry`. */
export function withStackOfCaller<T>(entry: (...args: never[]) => unknown, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidOptionError) Error.captureStackTrace(error, entry);
    throw error;
  }
}
