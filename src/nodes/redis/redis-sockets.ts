import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { tellWhyGivenUp } from './cluster-redirections.js';
import { followMoves } from './moved-slots.js';

/** The connections to single servers: one, or in a Cluster one for each server that is known, connected or not. */
export function serversOf(client: Redis | Cluster): Redis[] {
  return client.isCluster ? (client as Cluster).nodes() : [client as Redis];
}

/**
 * Prepares a new client of the module, before it connects. Its connections and timers let the process end: after a
 * failed start, nobody would close them. The process still waits for outstanding answers.
 */
export function prepare(client: Redis | Cluster): void {
  if (client.isCluster) {
    client.on('+node', prepareMember);
    unreference(client, 'reconnectTimeout');
    unreference(client, 'slotsTimer');
    followMoves(client as Cluster);
    tellWhyGivenUp(client as Cluster);
  } else {
    prepareServer(client as Redis);
  }
  // Without a listener, ioredis writes errors to the console.
  client.on('error', () => {});
}

function prepareServer(server: Redis): void {
  catchRejections(server, 'asking');
  unreference(server, 'reconnectTimeout');
  server.on('connect', () => server.stream.unref());
  // Otherwise, a later `disconnect` of ioredis would wait for this stream, which has closed, to close once more.
  server.on('close', () => Reflect.deleteProperty(connectorOf(server), 'stream'));
  prepareSentinels(server);
}

/** Prepares the connection to a server of a Cluster, and copies of it: over these, ioredis asks for the slots. */
function prepareMember(server: Redis): void {
  prepareServer(server);
  const duplicate = server.duplicate.bind(server);
  server.duplicate = (...options) => {
    const copy = duplicate(...options);
    prepareServer(copy);
    return copy;
  };
}

/** Prepares the connections to the Sentinels: those that ask for the master, and those that listen for failovers. */
function prepareSentinels(server: Redis): void {
  const connector = connectorOf(server);
  const connect = connector.connectToSentinel?.bind(connector);
  if (!connect) return;
  connector.connectToSentinel = (place, options) => {
    // Two timers of ioredis would keep the process alive: one waits for a Sentinel to close the connection, even if it
    // is down; the other limits the time for CLIENT SETINFO.
    const sentinel = connect(place, { ...options, disconnectTimeout: 0, disableClientInfo: true });
    if (options) prepareListening(sentinel);
    // When ioredis hears of a failover, it would wait for the old master to close the connection.
    if (options) connector.disconnectTimeout = 0;
    return sentinel;
  };
}

/** After how long a connection on which nothing is sent is probed, in milliseconds. */
const KEEP_ALIVE = 10_000;

function prepareListening(sentinel: Redis): void {
  catchRejections(sentinel, 'subscribe');
  // ioredis subscribes once, and drops that command if many attempts to connect to the Sentinel fail, or (ioredis 6) if
  // the Sentinel hangs during one.
  sentinel.on('ready', () => void sentinel.subscribe('+switch-master'));
  // Nothing else is sent on this connection: without it, a network that drops the connection goes unnoticed for hours.
  sentinel.on('connect', () => void sentinel.stream.setKeepAlive(true, KEEP_ALIVE));
  prepare(sentinel);
}

/** What opens the connections of a server, in ioredis. */
interface Connector {
  disconnectTimeout: number;
  /** @param options Given only for a Sentinel that is listened to (`failoverDetector`). */
  connectToSentinel?(place: unknown, options?: RedisOptions): Redis;
}

function connectorOf(server: Redis): Connector {
  return Reflect.get(server, 'connector') as Connector;
}

/** Each timer that ioredis keeps in this property lets the process end. */
function unreference(client: Redis | Cluster, property: 'reconnectTimeout' | 'slotsTimer'): void {
  let timer: NodeJS.Timeout | null | undefined;
  Object.defineProperty(client, property, {
    get: () => timer,
    set: (next: typeof timer) => {
      timer = next;
      timer?.unref();
    },
  });
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

/** Ends a dead connection and discards what has not reached the server yet: it must not arrive later. */
export function reset(server: Redis): void {
  // A server of a Cluster has no connection until it is needed.
  const { stream } = server as Partial<Redis>;
  try {
    // Node.js would reset a connecting socket only once it is connected. A socket whose writable side has ended cannot
    // be reset: that fails (EINVAL), Node.js leaves the socket open, and ioredis would wait forever for it to close.
    if (stream?.connecting || stream?.writableEnded) stream.destroy();
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
