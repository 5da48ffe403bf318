import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import { isReadOnly } from './redis-errors.js';

/** How a node is reached, and how long it may take. */
export interface RedisNodeSettings {
  /** How long one answer may take, in milliseconds. */
  readonly nodeTimeout: number;
  /** Shown by `CLIENT LIST` for the connections. */
  readonly connectionName: string;
}

/** A connection that is silent for this many times `nodeTimeout`, with commands under way, is made anew. */
export const HUNG_AFTER = 3;

/** A connection for locks only, made from options; it connects when it is first used. */
export function newClient(options: RedisOptions, settings: RedisNodeSettings): Redis {
  return new Redis({
    connectTimeout: Math.max(settings.nodeTimeout, 1000),
    connectionName: connectionName(settings),
    ...options,
    ...required(settings),
  });
}

/** A connection for locks only, to where a client of the application leads, which itself is left alone. */
export function clientLike(client: Redis | Cluster, settings: RedisNodeSettings): Redis | Cluster {
  const options = { ...required(settings), connectionName: connectionName(settings) };
  if (!client.isCluster) return (client as Redis).duplicate(options);
  return (client as Cluster).duplicate([], {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    scaleReads: 'master',
    scripts: undefined,
    himportFieldsets: undefined,
    clusterRetryStrategy: retryStrategy,
    // Whether the Cluster is ready is checked by CLUSTER INFO; a server without INFO could not join it.
    redisOptions: { ...(client as Cluster).options.redisOptions, ...options, enableReadyCheck: false },
  });
}

function connectionName(settings: RedisNodeSettings): string {
  return settings.connectionName.replace(/[^\x21-\x7e]/g, '_');
}

/** The options that the connection of a node needs, whatever else is given. */
function required({ nodeTimeout }: RedisNodeSettings) {
  return {
    lazyConnect: true,
    // What cannot be answered now is a vote against, now: nothing may be queued and run late.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    socketTimeout: HUNG_AFTER * nodeTimeout,
    retryStrategy,
    sentinelRetryStrategy: retryStrategy,
    // A master that has become a replica: the address may lead to the new master now.
    reconnectOnError: isReadOnly,
    // The replies of scripts are numbers and lists.
    stringNumbers: false,
    replyMapping: undefined,
    // A command that is not answered in time is dealt with here.
    commandTimeout: undefined,
    enableAutoPipelining: false,
    // Ordinary commands, sent to a master, by their own names.
    readOnly: false,
    monitor: false,
    scripts: undefined,
    himportFieldsets: undefined,
  } satisfies RedisOptions;
}

/** Reconnection without end, soon enough to be back within two seconds. */
function retryStrategy(attempt: number): number {
  return Math.min(attempt * 50, 500);
}
