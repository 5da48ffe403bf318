import { quoted } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { hasMethods } from '../has-methods.js';

/**
 * Returns the result of a run, for which the run has done its work.
 *
 * @throws InvalidOptionError for an Observable or a generator: its work would begin when somebody subscribes to it or
 * iterates over it, and by then the lock is released.
 */
export function refuseDeferredWork<Result>(job: string, result: Result): Result {
  const refuse = (what: string, remedy: string): never => {
    throw new InvalidOptionError(
      `Job ${quoted(job)}`,
      'the result',
      `must not be ${what}, whose work would begin after the lock is released: ${remedy}`,
    );
  };
  // A mock has every method.
  if (hasMethods(result, 'lift', 'subscribe', 'next', 'return')) return result;
  if (hasMethods(result, 'lift', 'subscribe')) {
    refuse('an Observable', 'return a promise, for example lastValueFrom(observable)');
  }
  if (hasMethods(result, 'next', 'return', 'throw')) {
    refuse('a generator', 'iterate over it in the job, and return a promise');
  }
  return result;
}
