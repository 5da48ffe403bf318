import type { Cluster, Redis } from 'ioredis';

/** The connections to single servers: one, or in a Cluster one for each server that is known, connected or not. */
export function serversOf(client: Redis | Cluster): Redis[] {
  return client.isCluster ? (client as Cluster).nodes() : [client as Redis];
}

/**
 * Lets the process end while connections are open: after a failed start, nobody would close them. The process still
 * waits for outstanding answers.
 */
export function letProcessEnd(client: Redis | Cluster): void {
  serversOf(client).forEach(unref);
  if (client.isCluster) client.on('+node', unref);
  client.on('reconnecting', () => {
    (Reflect.get(client, 'reconnectTimeout') as NodeJS.Timeout | null | undefined)?.unref();
  });
}

function unref(server: Redis): void {
  const { stream } = server as Partial<Redis>;
  stream?.unref();
  server.on('connect', () => server.stream.unref());
}

/** Ends a dead connection and discards what has not reached the server yet: it must not arrive later. */
export function reset(server: Redis): void {
  // A server of a Cluster has no connection until it is needed.
  const { stream } = server as Partial<Redis>;
  try {
    // A socket whose writable side has ended cannot be reset: the reset fails (EINVAL), Node.js leaves the socket open,
    // and ioredis would wait forever for it to close.
    if (stream?.writableEnded) stream.destroy();
    else stream?.resetAndDestroy();
  } catch {
    // Only TCP sockets can be reset.
    stream?.destroy();
  }
}
