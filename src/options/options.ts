import type { RedisOptions } from 'ioredis';
import type { LockNode } from '../nodes/lock-node.js';
import type { NodeSettings } from '../nodes/node-driver.js';
import type { Duration } from './duration.js';

/**
 * One voting node: a URL (`redis://` or `rediss://`; as the only node, also `'memory'`), the options of an ioredis
 * connection (with `sentinels` and `name` for a Sentinel group), an existing ioredis `Redis` or `Cluster`, or a
 * `LockNode` (see `nestjs-exclusive/node`) such as a `MemoryNode`.
 *
 * The module opens its own connections, and closes them with the application. A client that you pass is duplicated with
 * its options, and otherwise left alone.
 */
export type NodeOption = string | ConnectionOptions | RedisClient | LockNode;

/** The options of an ioredis connection, of whichever copy of ioredis the application has. */
export type ConnectionOptions = Omit<RedisOptions, 'Connector'> & {
  /** A class of ioredis connectors. */
  Connector?: unknown;
};

/** An ioredis `Redis` or `Cluster`, from any copy of ioredis. The module opens its own connection with `duplicate`. */
export interface RedisClient {
  /** The state of the client, such as `'ready'`. */
  readonly status: string;
  /** Whether it is a `Cluster`. */
  readonly isCluster: boolean;
  /** The options of the client. */
  readonly options: object;
  /** Creates a client with the same options. */
  duplicate(...overrides: never[]): unknown;
  /** Calls a script by its hash. */
  evalsha(...args: never[]): unknown;
  /** Closes the connection. */
  disconnect(): void;
}

/**
 * What a job does when no majority of the nodes votes: `'skip'` the tick, `'run'` it anyway (on every
 * instance), or `'throw'` a `StoreDownError`.
 */
export type OnStoreDown = 'skip' | 'run' | 'throw';

/**
 * What a tick does while another run of its job is in progress: `'skip'`, wait until that run ends (`'buffer-one'`), or
 * run at the same time (`'allow'`).
 */
export type Overlap = 'skip' | 'buffer-one' | 'allow';

/** The options of `RedlockModule.forRoot`. */
export interface RedlockModuleOptions {
  /**
   * Where the locks live: one node or several, or `'memory'`. Of several independent nodes, a majority decides, and a
   * minority may fail. Use an odd number; replicas of one master do not count as nodes.
   *
   * Default: `'memory'`: locks are kept in the memory of this application, and do not exclude other applications (not
   * even in this process) or instances. With `NODE_ENV=production` that default is an error; set `'memory'` explicitly
   * if you want it.
   */
  nodes?: NodeOption | readonly NodeOption[] | undefined;
  /**
   * Part of every key, in front of the name of the job: the lock of `report` is `JOB_LOCKER_report`. Must be the same
   * on all instances, not empty, and without braces, except for one hash tag at its start. Default: `'JOB_LOCKER'`.
   */
  keyPrefix?: string | undefined;
  /**
   * The lease: how long a lock outlives the process that holds it. It is renewed every `ttl / 3` while the job runs,
   * however long that takes. At least three times `nodeTimeout`. Default: `'30s'`.
   */
  ttl?: Duration | undefined;
  /** How long one node may take to answer before its vote counts as missing. Default: `'500ms'`. */
  nodeTimeout?: Duration | undefined;
  /**
   * After this time, the `signal` of a run aborts with a `RunTimeoutError`, and its lock is no longer renewed; with
   * `recover`, it is renewed until the run has stopped. Default: no limit.
   */
  maxRuntime?: Duration | undefined;
  /**
   * What to do when no majority of the nodes votes: `'skip'` the tick, `'run'` it anyway (on every instance),
   * or `'throw'` a `StoreDownError`. Default: `'skip'`.
   */
  onStoreDown?: OnStoreDown | undefined;
  /**
   * Spreads the claims of jobs that are due at the same moment: each job waits for an offset that is derived from
   * `keyPrefix` and its name, the same on all instances, and shorter than this. Applies to all jobs whose shortest
   * period is longer. Default: none.
   */
  spread?: Duration | undefined;
  /** How long runs in progress may continue at shutdown before their `signal` aborts. Default: `'10s'`. */
  shutdownTimeout?: Duration | undefined;
  /** How many runs of each job are kept on record, for `RedlockService.history`; `0`: none. Default: `50`. */
  history?: number | undefined;
  /** Whether records contain the name and the first line of errors. Default: `true`. */
  recordErrors?: boolean | undefined;
  /**
   * How late a scheduled job must be for the event `overdue`. Default: two periods of its schedule or five minutes,
   * whichever is longer.
   */
  overdueAfter?: Duration | undefined;
  /**
   * `false` makes every decorated method run as if it were undecorated. The nodes are not used: `lock` and `run`
   * exclude only within this application, and `pause` and `resume` throw. Default: `true`.
   */
  enabled?: boolean | undefined;
  /**
   * The name of this instance in events, logs and `CLIENT LIST`. No two instances that run at the same time may have
   * the same name. Default: host, process id and a random part.
   */
  instanceId?: string | undefined;
}

/** Accepted by `forRoot` and `forRootAsync` in addition to the options. All are optional. */
export interface RedlockModuleExtras {
  /** `false`: the module is available only to modules that import it. Default: `true`. */
  isGlobal: boolean | undefined;
}

/** The interface of a class that creates the options, for `forRootAsync({ useClass })` and `useExisting`. */
export interface RedlockOptionsFactory {
  /** Creates the options. Called once, when the application starts; if it throws, the start fails. */
  createRedlockOptions(): RedlockModuleOptions | Promise<RedlockModuleOptions>;
}

/**
 * The name of a job: a non-empty string, or a function of the arguments of the call. If the function returns an empty
 * name, the call rejects with an `InvalidOptionError`.
 *
 * @typeParam Args The arguments that the function takes.
 */
export type JobName<Args extends unknown[] = never[]> = string | ((...args: Args) => string);

/** A limit for `missed`. */
export interface MissedWithin {
  /** How old a missed tick may be to be run. */
  within: Duration;
}

/** The options of a job. If the module has the same option, its value there is the default. */
export interface JobOptions {
  /** The lease of this job. At least three times the module's `nodeTimeout`. Default: the module's `ttl`. */
  ttl?: Duration | undefined;
  /**
   * Minimum time between two starts across the fleet, reduced by 10 % (max 1 s) to allow for timer jitter. Default for
   * `@Interval(ms)`: that interval; otherwise: none.
   */
  every?: Duration | undefined;
  /**
   * `'skip'`: skip a tick if another run of the job is in progress and does not end within 250 ms (longer while the
   * nodes are slow, unless the job has `recover`). `'buffer-one'`: the tick starts when that run ends, unless the next
   * tick is due by then. `'allow'`: runs may overlap, but each tick still runs once. Default: `'skip'`.
   */
  overlap?: Overlap | undefined;
  /**
   * How long a run of this job may take before its `signal` aborts with a `RunTimeoutError`. Default: the module's
   * `maxRuntime`.
   */
  maxRuntime?: Duration | undefined;
  /**
   * If the instance that runs a tick of `@Cron` dies, or shuts down before the run has ended, another instance runs
   * that tick again: one that lost the tick, within `ttl` plus a second, or one that starts within a day. The job must
   * be safe to run twice. Cannot be combined with `overlap: 'allow'`, nor used on `@Interval` and `@Timeout`. Default:
   * `false`.
   */
  recover?: boolean | undefined;
  /** What this job does when no majority of the nodes votes. Default: the module's `onStoreDown`. */
  onStoreDown?: OnStoreDown | undefined;
  /**
   * What to do about a tick of `@Cron` that ran on no instance, because the fleet or the nodes were down, or because
   * the job was paused. `'skip'`: nothing. `'once'`: if the latest tick is such a tick, it is run as soon as possible.
   * `{ within }`: the same, but only if it was due no longer ago than that. Does not apply to ticks that found an
   * earlier run in progress, nor to a job or a schedule that has just been deployed for the first time, nor if the last
   * run is more than a month ago, or two periods if that is longer. Default: `'skip'`.
   */
  missed?: 'skip' | 'once' | MissedWithin | undefined;
  /** How many runs of this job are kept on record; `0`: none. Default: the module's `history`. */
  history?: number | undefined;
  /** How late this job must be for the event `overdue`. Default: the module's `overdueAfter`. */
  overdueAfter?: Duration | undefined;
  /**
   * Each tick is claimed later by an offset that is derived from `keyPrefix` and the name of the job, the same on all
   * instances, and shorter than this: jobs that are due at the same moment do not start together. The tick remains the
   * scheduled time. Must be shorter than the shortest period of the schedule. No effect on plain calls. Default: the
   * module's `spread`, if it is shorter than the period; otherwise none.
   */
  spread?: Duration | undefined;
}

/** One entry of `nodes`, checked. */
export interface NodeEntry {
  /** The same value for two entries that are the same server. */
  readonly place: unknown;
  /** The same value for two entries that keep the same locks. */
  readonly store: unknown;
  /** Creates the voting node. Nothing is connected yet. */
  readonly create: (settings: NodeSettings) => LockNode;
}

/** The options of the module with every default filled in; durations in milliseconds. */
export interface ResolvedOptions {
  readonly nodes: readonly NodeEntry[];
  readonly keyPrefix: string;
  readonly nodeTimeout: number;
  readonly shutdownTimeout: number;
  readonly enabled: boolean;
  readonly instanceId: string;
  readonly recordErrors: boolean;
  /** Whether `nodes` was omitted, so that the log warns where the locks are. */
  readonly nodesOmitted: boolean;
  /** The defaults for the options of a job. */
  readonly job: ResolvedJobOptions;
}

/** The options of one job with every default filled in; durations in milliseconds. */
export interface ResolvedJobOptions {
  readonly ttl: number;
  readonly every: number | undefined;
  readonly overlap: Overlap;
  readonly maxRuntime: number | undefined;
  readonly recover: boolean;
  readonly onStoreDown: OnStoreDown;
  /** How old a missed tick may be to be made up for, in milliseconds; `undefined`: never. */
  readonly missed: number | undefined;
  readonly history: number;
  readonly overdueAfter: number | undefined;
  /** As the job itself sets it. */
  readonly spread: number | undefined;
  /** As the module sets it, for jobs that do not. */
  readonly defaultSpread: number | undefined;
}
