import type { CronJob } from 'cron';
import { holdFiring } from './firing.js';

/** The callbacks of a cron job, in its own array. */
export function callbacksOf(job: CronJob): unknown[] {
  const callbacks: unknown = Reflect.get(job, '_callbacks');
  return Array.isArray(callbacks) ? callbacks : [];
}

/**
 * A cron job does not await its callbacks, which may outlast a tick, so each callback keeps its firing open, as do
 * those that are added later.
 */
export function holdDuringCallbacks(job: CronJob): void {
  const callbacks = callbacksOf(job);
  for (const [index, callback] of callbacks.entries()) callbacks[index] = holding(callback);
  // A test may register an object that has only the methods that it needs.
  if (typeof job.addCallback !== 'function') return;
  const add = job.addCallback.bind(job);
  job.addCallback = (callback) => add(holding(callback));
}

function holding<Callback>(callback: Callback): Callback {
  if (typeof callback !== 'function') return callback;
  const held = function (this: unknown, ...args: unknown[]): unknown {
    return holdFiring(() => Reflect.apply(callback, this, args) as unknown);
  };
  return held as Callback;
}
