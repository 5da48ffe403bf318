import { InvalidOptionError } from '../errors.js';

/** Calls `work`. The stack of an error about an option begins where the application calls `owner[method]`. */
export function withStackOfCaller<Method extends string, T>(
  owner: Readonly<Record<Method, unknown>>,
  method: Method,
  work: () => T,
): T {
  try {
    return work();
  } catch (error) {
    const entry = owner[method];
    if (error instanceof InvalidOptionError && typeof entry === 'function')
      Error.captureStackTrace(error, entry);
    throw error;
  }
}
