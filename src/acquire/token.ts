import { randomBytes } from 'node:crypto';

/** Makes the tokens of claims: each names its instance, and is made once. */
export type TokenSource = () => string;

/**
 * Random bytes alone are not enough: two processes that are restored from one memory snapshot draw the same ones. They
 * differ in the moment at which they draw, in nanoseconds, and mostly in their process id.
 *
 * @param instanceId What the log calls the instance.
 */
export function tokensOf(instanceId: string): TokenSource {
  let made = 0;
  const start = randomBytes(4).toString('hex');
  return () =>
    `${instanceId}#${start}.${process.pid}.${process.hrtime.bigint().toString(36)}.${(++made).toString(36)}`;
}

/** The instance that made a token; empty for a token that is not of this package. */
export function instanceOf(token: string): string {
  return token.slice(0, Math.max(token.lastIndexOf('#'), 0));
}
