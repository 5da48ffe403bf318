import { quoted } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { hasMethods } from '../has-methods.js';

/**
 * Checks the result of a run.
 *
 * @throws InvalidOptionError for an Observable or a generator: its work would begin when somebody subscribes to it or
 * iterates over it, and by then the lock is released.
 */
export function refuseDeferredWork(job: string, result: unknown): void {
  const refuse = (what: string, remedy: string): never => {
    throw new InvalidOptionError(
      `Job ${quoted(job)}`,
      'the result',
      `must not be ${what}, whose work would begin after the lock is released: ${remedy}`,
    );
  };
  // A mock has every method.
  if (hasMethods(result, 'lift', 'subscribe', 'next', 'return')) return;
  if (hasMethods(result, 'lift', 'subscribe')) {
    refuse('an Observable', 'return a promise, for example lastValueFrom(observable)');
  }
  if (hasMethods(result, 'next', 'return', 'throw')) {
    refuse('a generator', 'iterate over it in the job, and return a promise');
  }
}
