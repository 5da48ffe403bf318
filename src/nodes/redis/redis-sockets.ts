import type { Cluster, Redis } from 'ioredis';

/** The connections to single servers: one, or in a Cluster one for each server that is known, connected or not. */
export function serversOf(client: Redis | Cluster): Redis[] {
  return client.isCluster ? (client as Cluster).nodes() : [client as Redis];
}

/**
 * Prepares a new client of the module, before it connects. Its connections let the process end: after a failed start,
 * nobody would close them. The process still waits for outstanding answers.
 */
export function prepare(client: Redis | Cluster): void {
  serversOf(client).forEach(prepareServer);
  if (client.isCluster) client.on('+node', prepareServer);
  // Without a listener, ioredis writes errors to the console.
  client.on('error', () => {});
  client.on('reconnecting', () => {
    (Reflect.get(client, 'reconnectTimeout') as NodeJS.Timeout | null | undefined)?.unref();
  });
}

function prepareServer(server: Redis): void {
  catchRejections(server, 'asking');
  server.on('connect', () => {
    server.stream.unref();
    // ioredis has just created them, and will connect them next.
    const sentinels = watchedSentinels(server);
    // When ioredis hears of a failover, it would wait for the old master to close the connection.
    if (sentinels.length > 0) disconnectAtOnce(server);
    for (const sentinel of sentinels) {
      catchRejections(sentinel, 'subscribe');
      // ioredis asks once, and drops it if the Sentinel is away for many attempts to connect, or hangs during one.
      sentinel.on('ready', () => void sentinel.subscribe('+switch-master'));
      prepare(sentinel);
      // A timer of ioredis would keep the process alive, even if the Sentinel is down.
      disconnectAtOnce(sentinel);
    }
  });
}

function disconnectAtOnce(client: Redis): void {
  Reflect.set(Reflect.get(client, 'connector') as object, 'disconnectTimeout', 0);
}

/** Nobody looks at what becomes of this command, which ioredis sends by itself: a rejection would end the process. */
function catchRejections(client: Redis, command: 'asking' | 'subscribe'): void {
  const send = client[command].bind(client) as (...values: unknown[]) => Promise<unknown>;
  const caught = (...values: unknown[]): Promise<unknown> => {
    const sent = send(...values);
    sent.catch(() => {});
    return sent;
  };
  Object.defineProperty(client, command, { value: caught });
}

/** The connections to the Sentinels on which ioredis hears of a failover (`failoverDetector`). */
function watchedSentinels(server: Redis): Redis[] {
  const { connector } = server as unknown as {
    connector?: { failoverDetector?: { sentinels?: { client: Redis }[] } | null };
  };
  return connector?.failoverDetector?.sentinels?.map(({ client }) => client) ?? [];
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

/** Closes a client without waiting for the servers: one may say goodbye and keep the connection, or not answer. */
export function abandon(client: Redis | Cluster): void {
  const connections: Partial<Redis>[] = serversOf(client);
  client.disconnect();
  for (const { stream } of connections) stream?.destroy();
}
