import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import type { NodeSettings } from '../node-driver.js';
import { isReadOnly } from './redis-errors.js';

/**
 * How long a new connection may be silent before it is closed, and how long until an old one is checked again, as a
 * multiple of `nodeTimeout`.
 */
export const HUNG_AFTER = 3;
/** How long a server of a Cluster may be silent before it is connected to again, in milliseconds. */
const CLUSTER_SILENCE = 10_000;

/** How often a command may be redirected or repeated while servers of a Cluster refuse it or cannot be reached. */
const REDIRECTIONS = 8;

/** The delay before the module connects again to a Sentinel that it listens to, in milliseconds. */
const listenAgain = (): number => 1000;

/** How often a server that is loading its data is asked whether it has finished, in milliseconds. */
const LOADING_RETRY = 500;

/** The delay of the first attempt to reconnect, in milliseconds; each further one adds as much. */
export const RETRY_DELAY = 50;

/** A connection for locks only, made from options; it connects when it is first used. */
export function newClient(options: RedisOptions, settings: NodeSettings): Redis {
  return new Redis({
    connectTimeout: answerTimeout(settings),
    connectionName: connectionName(settings),
    ...options,
    ...required(options, settings),
    failoverDetector: options.failoverDetector ?? true,
  });
}

/** A connection for locks only, to the same server as a client of the application, which is left alone. */
export function clientLike(client: Redis | Cluster, settings: NodeSettings): Redis | Cluster {
  const given = client.isCluster ? (client as Cluster).options.redisOptions : (client as Redis).options;
  const options = {
    ...required(given, settings),
    connectionName: connectionName(settings),
    // ioredis has already replaced "not set" by false.
    failoverDetector: true,
  };
  if (!client.isCluster) {
    const { options: own } = client as Redis;
    if (!setsReconnectStrategy(client as Redis)) options.sentinelReconnectStrategy = listenAgain;
    // Read at each connection: an application may renew the credentials of its client, such as a token that expires.
    return withCredentials((client as Redis).duplicate(options), {
      username: { get: () => own.username },
      password: { get: () => own.password },
    });
  }
  const redirectionDelay = settings.nodeTimeout / (REDIRECTIONS + 4);
  return (client as Cluster).duplicate([], {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    scaleReads: 'master',
    scripts: undefined,
    himportFieldsets: undefined,
    clusterRetryStrategy: retryStrategy,
    // ioredis would connect to the old addresses of all servers forever, and never look up the names of the Cluster.
    clusterNodeRetryStrategy: null,
    // So that ioredis gives up in time while a slot moves, or while a server cannot be reached.
    maxRedirections: REDIRECTIONS,
    retryDelayOnTryAgain: redirectionDelay,
    retryDelayOnFailover: redirectionDelay,
    retryDelayOnClusterDown: redirectionDelay,
    // ioredis checks a Cluster by CLUSTER INFO; a ready check on each connection would exclude servers without INFO.
    redisOptions: {
      ...given,
      ...options,
      enableReadyCheck: false,
      socketTimeout: CLUSTER_SILENCE,
    },
  });
}

/** A second connection of the module's own to the same server. */
export function duplicateOf(client: Redis): Redis {
  const { username = {}, password = {} } = Object.getOwnPropertyDescriptors(client.options);
  return withCredentials(client.duplicate(), { username, password });
}

function withCredentials(copy: Redis, credentials: PropertyDescriptorMap): Redis {
  Object.defineProperties(copy.options, credentials);
  return copy;
}

/** ioredis has already replaced "not set" by a function of its own. */
function setsReconnectStrategy(client: Redis): boolean {
  const unset = client.duplicate({ lazyConnect: true, sentinelReconnectStrategy: undefined });
  return client.options.sentinelReconnectStrategy !== unset.options.sentinelReconnectStrategy;
}

/** Whether it connects by TLS. */
export function isTls(client: Redis | Cluster): boolean {
  const options = client.isCluster ? (client as Cluster).options.redisOptions : (client as Redis).options;
  return options?.tls != null;
}

/** How long a new connection, or a Sentinel, may take, in milliseconds. */
function answerTimeout({ nodeTimeout }: NodeSettings): number {
  return Math.max(nodeTimeout, 1000);
}

function connectionName(settings: NodeSettings): string {
  return settings.connectionName.replace(/[^\x21-\x7e]/g, '_');
}

/** The options that a node's connection needs. They replace those of the application, except a few that it may set. */
function required(given: RedisOptions = {}, settings: NodeSettings) {
  const { clientInfoTag, disableClientInfo, maxLoadingRetryTime } = given;
  const { sentinelCommandTimeout, sentinelReconnectStrategy } = given;
  return {
    lazyConnect: true,
    // A command that cannot be answered now must fail at once: nothing may be queued and run late.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Its timer would close a healthy connection after a blocked event loop: see Connections in docs/internals.md.
    socketTimeout: undefined,
    retryStrategy,
    // ioredis would ask again only after ten seconds if the server estimates that loading takes that long.
    maxLoadingRetryTime: Math.min(maxLoadingRetryTime || LOADING_RETRY, LOADING_RETRY),
    // ioredis would wait on a timer that keeps the process alive. It gives up instead, and the module connects again.
    sentinelRetryStrategy: () => null,
    // ioredis would wait forever for a Sentinel that hangs, and would not ask the next one.
    sentinelCommandTimeout: sentinelCommandTimeout ?? answerTimeout(settings),
    // ioredis would listen to a Sentinel again only after a minute, and miss a failover meanwhile.
    sentinelReconnectStrategy: sentinelReconnectStrategy ?? listenAgain,
    // The master has become a replica: the address may lead to the new master now.
    reconnectOnError: onceForAll(isReadOnly),
    // Scripts reply with numbers and lists.
    stringNumbers: false,
    replyMapping: undefined,
    // Timeouts are handled by the node.
    commandTimeout: undefined,
    enableAutoPipelining: false,
    // A user with few permissions would be refused CLIENT SETINFO, and each refusal is in the ACL LOG.
    disableClientInfo: disableClientInfo === true || clientInfoTag == null,
    // Only ordinary commands to a master, under their own names.
    readOnly: false,
    monitor: false,
    scripts: undefined,
    himportFieldsets: undefined,
  } satisfies RedisOptions;
}

/**
 * Asks for one new connection for all commands that were refused together: ioredis would close the old one for each.
 * Refusals within `RETRY_DELAY / 2` after that are ignored. A new connection takes longer to open, so its refusals are
 * not ignored.
 */
function onceForAll(isReason: (error: Error) => boolean): (error: Error) => boolean {
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!isReason(error) || performance.now() - last < RETRY_DELAY / 2) return false;
    last = performance.now();
    return true;
  };
}

/** Reconnects forever, often enough to be connected within two seconds once the server is back. */
function retryStrategy(attempt: number): number {
  return Math.min(attempt * RETRY_DELAY, 500);
}
