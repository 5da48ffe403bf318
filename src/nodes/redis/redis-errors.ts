/** A command that was never sent. */
export class NotSent extends Error {}

/** Whether the ready check failed because the server has no `INFO`. It may vote anyway. */
export function isOfReadyCheck(error: unknown): boolean {
  return commandOf(error) === 'info' && isOfOneCommand(error);
}

/** Whether it is about selecting a database. ioredis treats the connection as ready anyway. */
export function isOfSelect(error: unknown): boolean {
  return commandOf(error) === 'select';
}

function commandOf(error: unknown): unknown {
  return error instanceof Error && 'command' in error
    ? (error.command as { name?: unknown }).name
    : undefined;
}

/** Whether the server has become a replica. */
export function isReadOnly({ message }: Error): boolean {
  // Redis 6 puts other words before an error that occurred in a script.
  return /(^|-)READONLY /.test(message);
}

/** Whether the server would refuse the command again. Not after READONLY: the address may lead to another server. */
export function isFinal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError' && !isReadOnly(error);
}

/**
 * Whether the server refuses what one claim needs, such as a key that something else has written, and may grant others.
 */
export function isOfOneClaim(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'ReplyError' &&
    /WRONGTYPE|CROSSSLOT|access (a key|(at least )?one of the keys)|attempt to (compare|perform)/.test(
      error.message,
    )
  );
}

/** What shows that a server no longer refuses: any answer, a command that has written, or a script that has run. */
export type EndOfRefusal = 'answer' | 'write' | 'script';

/** What would show that the refusal in an error is over. */
export function endOfRefusal({ message }: Error): EndOfRefusal {
  if (/^(LOADING|NOAUTH|WRONGPASS|MASTERDOWN|DENIED|BUSY|CLUSTERDOWN|ERR max number)/.test(message))
    return 'answer';
  return /\b(READONLY|OOM|MISCONF|NOREPLICAS) /.test(message) ? 'write' : 'script';
}

/** Whether the server refuses one command but may allow others. */
export function isOfOneCommand(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && endOfRefusal(error) === 'script';
}
