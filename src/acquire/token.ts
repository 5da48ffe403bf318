import { randomBytes } from 'node:crypto';

/** Creates the tokens of claims: each is unique and names its instance. */
export type TokenSource = () => string;

/**
 * Random bytes alone are not enough: two processes that are restored from one memory snapshot draw the same ones. They
 * differ in the time of the draw, in nanoseconds, and usually in their process id.
 *
 * @param instanceId The name of the instance in the log.
 */
export function tokensOf(instanceId: string): TokenSource {
  let made = 0;
  const start = randomBytes(4).toString('hex');
  return () =>
    `${instanceId}#${start}.${process.pid}.${process.hrtime.bigint().toString(36)}.${(++made).toString(36)}`;
}

/** The instance that created a token; empty for a token from another package. */
export function instanceOf(token: string): string {
  return token.slice(0, Math.max(token.lastIndexOf('#'), 0));
}
