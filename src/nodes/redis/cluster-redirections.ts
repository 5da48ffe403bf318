import type { Cluster } from 'ioredis';
import { CONTESTED, unreachable } from './causes.js';
import { isOfMovingSlot, perhapsCarriedOut, Unserved } from './redis-errors.js';

/**
 * Makes a command that ioredis gives up reject with the error that says most. ioredis redirects or repeats a command
 * while the servers of a Cluster refuse it or cannot be reached. In the end, it rejects with the last error, and chance
 * decides which one that is: if a server has died, a random other one names it (MOVED), then the connection to it
 * fails, then another one is asked.
 */
export function tellWhyGivenUp(cluster: Cluster): void {
  const handleError = cluster.handleError.bind(cluster);
  /** The errors of each command, by the object that ioredis keeps for it. */
  const errorsOf = new WeakMap<object, Error[]>();
  cluster.handleError = (error, command, handlers: { maxRedirections(error: Error): void }) => {
    const errors = [...(errorsOf.get(command) ?? []), error];
    errorsOf.set(command, errors);
    const noted = (told: Error): Error => {
      if (errors.some(isClosed)) perhapsCarriedOut.add(told);
      return told;
    };
    handleError(noted(error), command, {
      ...handlers,
      maxRedirections: () => handlers.maxRedirections(noted(mostTelling(errors))),
    });
  };
}

/** The error that says most about why a command was not carried out. @param errors In the order in which they came. */
export function mostTelling(errors: readonly Error[]): Error {
  const refusal =
    errors.findLast(isFinal) ??
    errors.findLast(isOfMovingSlot) ??
    errors.findLast(({ message }) => message.startsWith('CLUSTERDOWN '));
  if (refusal) return refusal;
  if (!errors.some(isClosed)) return new Unserved(CONTESTED);
  const moved = errors.findLast(({ message }) => message.startsWith('MOVED '));
  return new Unserved(unreachable(moved?.message.split(' ')[2]));
}

const CLOSED = 'Connection is closed.';

function isClosed({ message }: Error): boolean {
  return message === CLOSED;
}

/** Whether ioredis would not have sent the command again after this error. */
function isFinal(error: Error): boolean {
  return !isClosed(error) && !/^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(error.message);
}
