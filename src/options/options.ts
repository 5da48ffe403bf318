import type { RedisOptions } from 'ioredis';
import type { LockNode } from '../nodes/lock-node.js';
import type { Duration } from './duration.js';

/**
 * One voting node: a URL (`redis://` or `rediss://`; alone, `'memory'` is one too), the options of an ioredis
 * connection (a Sentinel group has `sentinels` and `name`), an ioredis `Redis` or `Cluster` that the application has
 * already, or a {@link LockNode} such as a `MemoryNode`.
 *
 * The connections are the module's own, and closed with the application. A client that is handed over is duplicated with
 * its options, and otherwise left alone.
 */
export type NodeOption = string | ConnectionOptions | RedisClient | LockNode;

/** The options of an ioredis connection, of whichever copy of ioredis the application has. */
export type ConnectionOptions = Omit<RedisOptions, 'Connector'> & {
  /** A class of ioredis connectors. */
  Connector?: unknown;
};

/** An ioredis `Redis` or `Cluster`, of whichever copy of ioredis the application has. The module makes its own connection by `duplicate`. */
export interface RedisClient {
  /** What the client is doing, such as `'ready'`. */
  readonly status: string;
  /** Whether it is a `Cluster`. */
  readonly isCluster: boolean;
  /** With which options it was made. */
  readonly options: object;
  /** Makes a client with the same options. */
  duplicate(...overrides: never[]): unknown;
  /** Calls a script that the server knows. */
  evalsha(...args: never[]): unknown;
  /** Ends the connection. */
  disconnect(): void;
}

/**
 * What a job does when no majority of the nodes can be reached: `'skip'` the tick, `'run'` it all the same (then on
 * every instance), or `'throw'` a `StoreDownError`.
 */
export type OnStoreDown = 'skip' | 'run' | 'throw';

/** The options of `RedlockModule.forRoot`. */
export interface RedlockModuleOptions {
  /**
   * Where the locks live: one node or several, or `'memory'`. Several independent nodes form a quorum: a majority of
   * them decides, and a minority may fail. Use an odd number; replicas of one master are no nodes of their own.
   *
   * Default: the memory of this process, which keeps no two instances apart. With `NODE_ENV=production` that default
   * is an error; say `'memory'` if it is what you want.
   */
  nodes?: NodeOption | readonly NodeOption[];
  /**
   * The start of every key: the lock of `report` is `JOB_LOCKER_report`. The same on all instances, and not empty.
   * Default: `'JOB_LOCKER'`.
   */
  keyPrefix?: string;
  /**
   * The lease: how long a lock outlives the process that holds it. It is renewed every third of this while the job
   * runs, however long that takes. At least three times `nodeTimeout`. Default: `'30s'`.
   */
  ttl?: Duration;
  /** How long one node may take for one answer before its vote counts as missing. Default: `'500ms'`. */
  nodeTimeout?: Duration;
  /**
   * After this much time the `signal` of a run aborts with a `RunTimeoutError`, its lock is renewed no more, and ends
   * with the lease. Default: no limit.
   */
  maxRuntime?: Duration;
  /**
   * What to do when no majority of the nodes can be reached: `'skip'` the tick, `'run'` it all the same (then on every
   * instance), or `'throw'` a `StoreDownError`. Default: `'skip'`.
   */
  onStoreDown?: OnStoreDown;
  /** How long runs in progress may go on at shutdown before their `signal` aborts. Default: `'10s'`. */
  shutdownTimeout?: Duration;
  /** `false` makes every decorated method run as if it were undecorated. Default: `true`. */
  enabled?: boolean;
  /** Names this instance in events, logs and `CLIENT LIST`. Default: host, process id and a random part. */
  instanceId?: string;
}

/** What `forRoot` and `forRootAsync` take beside the options. A part of it may be left out. */
export interface RedlockModuleExtras {
  /** `false`: the module is there only for the modules that import it. Default: `true`. */
  isGlobal: boolean;
}

/** What the creator of the options implements, for `forRootAsync({ useClass })` and `useExisting`. */
export interface RedlockOptionsFactory {
  /** The options, asked for once, at the start of the application. What it throws ends the start. */
  createRedlockOptions(): RedlockModuleOptions | Promise<RedlockModuleOptions>;
}

/**
 * The name of a job: a string, or a function of the arguments of the call. It must not be empty: if a function returns an
 * empty name, the call rejects with an `InvalidOptionError`.
 *
 * @typeParam Args The arguments that the function takes.
 */
export type JobName<Args extends unknown[] = never[]> = string | ((...args: Args) => string);

/** What a job may set for itself; what it leaves out comes from the module. */
export interface JobOptions {
  /** The lease of this job. At least three times the module's `nodeTimeout`. Default: the module's `ttl`. */
  ttl?: Duration;
  /**
   * Not again anywhere before this much time has passed since the last start. Less a little (10 %, at most 1 s), for
   * timers that do not keep step. Default for `@Interval(ms)`: that interval; for all else: none.
   */
  every?: Duration;
  /**
   * `'skip'` a tick that finds another run of the job going on, unless that ends within 250 ms, or `'allow'` them to
   * overlap: each tick still runs once. Default: `'skip'`.
   */
  overlap?: 'skip' | 'allow';
  /**
   * The longest that a run of this job may take: then its `signal` aborts with a `RunTimeoutError`. Default: the module's
   * `maxRuntime`.
   */
  maxRuntime?: Duration;
  /**
   * When the instance that runs a tick of `@Cron` dies, or shuts down before the run has ended, another one runs that same
   * tick again, within `ttl` and a second: one that lost the tick, or one that starts within a day. The job must be safe to
   * start twice. Not with `overlap: 'allow'`. Default: `false`.
   */
  recover?: boolean;
  /** What this job does when no majority of the nodes can be reached. Default: the module's `onStoreDown`. */
  onStoreDown?: OnStoreDown;
}

/** The options of the module with every default filled in; durations in milliseconds. */
export interface ResolvedOptions {
  readonly nodes: readonly NodeOption[] | 'memory';
  readonly keyPrefix: string;
  readonly nodeTimeout: number;
  readonly shutdownTimeout: number;
  readonly enabled: boolean;
  readonly instanceId: string;
  /** Whether `nodes` was left out, so that the log should say where the locks are. */
  readonly nodesLeftOut: boolean;
  /** What a job gets that says nothing for itself. */
  readonly job: ResolvedJobOptions;
}

/** The options of one job with every default filled in; durations in milliseconds. */
export interface ResolvedJobOptions {
  readonly ttl: number;
  readonly every: number | undefined;
  readonly overlap: 'skip' | 'allow';
  readonly maxRuntime: number | undefined;
  readonly recover: boolean;
  readonly onStoreDown: OnStoreDown;
}
