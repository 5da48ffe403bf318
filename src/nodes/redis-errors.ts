import { COMMANDS } from './scripts.js';

/** Whether it is about the choice of a database. */
export function isOfSelect(error: unknown): boolean {
  return (
    error instanceof Error && 'command' in error && (error.command as { name?: unknown }).name === 'select'
  );
}

/** Whether the server has become a replica. */
export function isReadOnly({ message }: Error): boolean {
  // Redis 6 puts words of its own in front of what a script ran into.
  return /(^|-)READONLY /.test(message);
}

/** What is wrong with a node whose connection has ended. */
export const CLOSED = 'the connection was closed';

/** What a message means, where its words are about something else. */
export function explained(why: string): string {
  // `maxRetriesPerRequest` is our own, and 0.
  if (/^Reached the max retries|^Connection is closed/.test(why)) return CLOSED;
  // Redis names the command that its user may not call only if it is no part of a script.
  return /^NOPERM(?!.* '(info|select|client)[| '])|can't run this command/.test(why)
    ? `${why}; its user needs ${COMMANDS} on the keys of all jobs`
    : why;
}
