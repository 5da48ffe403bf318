import { channel, tracingChannel } from 'node:diagnostics_channel';
import { copyOf, type RedlockEventMap, type RunEvent } from './events.js';

// For tools that look into a process from outside, such as tracers: they need neither the module nor its service.
const CHANNELS = {
  started: channel('nestjs-exclusive:started'),
  finished: channel('nestjs-exclusive:finished'),
  failed: channel('nestjs-exclusive:failed'),
  skipped: channel('nestjs-exclusive:skipped'),
  aborted: channel('nestjs-exclusive:aborted'),
  missed: channel('nestjs-exclusive:missed'),
  overdue: channel('nestjs-exclusive:overdue'),
  drift: channel('nestjs-exclusive:drift'),
} satisfies Record<keyof RedlockEventMap, unknown>;

/** The names of all events. */
export const EVENT_NAMES = Object.keys(CHANNELS) as (keyof RedlockEventMap)[];

const RUN = tracingChannel<string, RunEvent>('nestjs-exclusive:run');

/** Publishes an event on its diagnostics channel, if somebody has subscribed to it. */
export function publish<Name extends keyof RedlockEventMap>(name: Name, event: RedlockEventMap[Name]): void {
  const { [name]: target } = CHANNELS;
  if (target.hasSubscribers) target.publish(copyOf(event));
}

/** Calls `routine` as a traced operation, if somebody has subscribed to the tracing channel. */
export function traced<T>(event: RunEvent, routine: () => T): T | Promise<T> {
  if (!RUN.hasSubscribers) return routine();
  return RUN.tracePromise(async () => routine(), copyOf(event));
}
