import type { Rejection } from '../node-driver.js';
import { type EndOfRefusal, isStep, type Step } from '../refusal.js';

/** The step that a server has refused, by the error; `'claim'` also for a script that is no step of a run. */
export const refusedSteps = new WeakMap<Error, Step>();

/** A command that was never sent, or one of an inspection that got no answer in time: neither needs a release. */
export class NotSent extends Error {}

/** A command that the servers of a Cluster only redirected, or did not answer. They may answer other commands. */
export class Unserved extends Error {}

/** Refusals of a command that an earlier server of a Cluster may have carried out: its answer was lost. */
export const perhapsCarriedOut = new WeakSet<Error>();

/** Whether the ready check failed because the server has no `INFO`. It may vote anyway. */
export function isOfReadyCheck(error: unknown): boolean {
  return commandOf(error)?.name === 'info' && isOfOneCommand(error);
}

/** Whether it is about selecting a database. ioredis treats the connection as ready anyway. */
export function isOfSelect(error: unknown): boolean {
  return commandOf(error)?.name === 'select';
}

/** Whether a server has not answered an attempt to connect to it. */
export function isOfTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ETIMEDOUT';
}

/** Whether the error is a server's reply to `TIME`. */
export function isOfTime(error: unknown): boolean {
  return commandOf(error)?.name === 'time';
}

/** The command that a server has refused, as ioredis tells it. */
function commandOf(error: unknown): { readonly name?: unknown } | undefined {
  return error instanceof Error && 'command' in error ? (error.command as object) : undefined;
}

/** Whether the server has become a replica. */
export function isReadOnly({ message }: Error): boolean {
  // Redis 6 puts other words before an error that occurred in a script.
  return /(^|-)READONLY /.test(message);
}

/** Whether a server of a Cluster refuses the command because its slot is being moved between two servers. */
export function isOfMovingSlot({ message }: Error): boolean {
  return /^(TRYAGAIN|ASK) /.test(message);
}

/**
 * Whether the server refuses the command. READONLY does not count, because the address may lead to another server after
 * a reconnect.
 */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError' && !isReadOnly(error);
}

/** What became of a command that was rejected. */
export function fateOf(error: Error): Rejection['fate'] {
  if (error instanceof NotSent) return 'not sent';
  if (!isRefusal(error) || perhapsCarriedOut.has(error)) return 'unknown';
  // Not for good if the server is busy, full or short of replicas, or if a permission is missing.
  const isFinal = /WRONGTYPE|CROSSSLOT|attempt to|compiling script|unknown (redis )?command/i;
  return isFinal.test(error.message) ? 'refused for good' : 'refused';
}

/**
 * Whether only one claim cannot be granted: a server refuses what it needs, such as a key that something else has
 * written, or the server of a Cluster that has its keys cannot be reached.
 */
export function isOfOneClaim(error: unknown): boolean {
  if (error instanceof Unserved) return true;
  if (!(error instanceof Error) || error.name !== 'ReplyError') return false;
  if (isOfMovingSlot(error)) return true;
  return /WRONGTYPE|CROSSSLOT|CLUSTERDOWN Hash slot|access (a key|(at least )?one of the keys)|attempt to (compare|perform)/.test(
    error.message,
  );
}

/** Whether a server of a Cluster speaks of its own state, which says nothing about the other servers. */
export function isOfOneServer(error: Error): boolean {
  return isRefusal(error) && (endOfRefusal(error) === 'write' || OWN_STATE.test(error.message));
}

const OWN_STATE = /^(LOADING|BUSY|MASTERDOWN|ERR max number)/;

/** What would show that the refusal in an error is over. */
export function endOfRefusal(error: Error): EndOfRefusal {
  const { message } = error;
  if (error instanceof Unserved || isOfMovingSlot(error)) return 'answer';
  if (/^(LOADING|NOAUTH|WRONGPASS|MASTERDOWN|DENIED|BUSY|CLUSTERDOWN|ERR max number)/.test(message))
    return 'answer';
  if (/\b(READONLY|OOM|MISCONF|NOREPLICAS) /.test(message)) return 'write';
  return refusedSteps.get(error) ?? 'claim';
}

/** Whether the server refuses one command but may allow others. */
export function isOfOneCommand(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && isStep(endOfRefusal(error));
}
