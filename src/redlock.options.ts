import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { RedisOptions } from 'ioredis';
import { parse } from '@lukeed/ms';
import type { LockNode } from './nodes/lock-node.js';
import { checkedNodes } from './nodes/node-option.js';
import { InvalidOptionError } from './redlock.errors.js';

/**
 * Milliseconds, or a duration such as `'500ms'`, `'30s'`, `'10m'`, `'1h'`: from one millisecond to 24 days. All else is
 * refused with an `InvalidOptionError`.
 */
export type Duration = number | string;

/**
 * One voting node: a URL (`redis://` or `rediss://`; alone, `'memory'` is one too), the options of an ioredis
 * connection (a Sentinel group has `sentinels` and `name`), an ioredis `Redis` or `Cluster` that the application has
 * already, or a {@link LockNode} such as a `MemoryNode`.
 *
 * The connections are the module's own, and closed with the application. A client that is handed over is duplicated with
 * its options, and otherwise left alone.
 */
export type NodeOption = string | RedisOptions | RedisClient | LockNode;

/** An ioredis `Redis` or `Cluster`, of whichever copy of ioredis the application has: the module calls `duplicate` only. */
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
   * After this much time the `signal` of a run aborts with a `TimeoutError`, its lock is renewed no more, and ends
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
 * The name of a job: a string, or a function of the arguments of the call. It must not be empty; a function that returns
 * an empty name makes the call reject with an `InvalidOptionError`.
 */
export type JobName = string | ((...args: never[]) => string);

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
   * The longest that a run of this job may take: then its `signal` aborts with a `TimeoutError`. Default: the module's
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

const MODULE_OPTIONS: readonly (keyof RedlockModuleOptions | 'isGlobal')[] = [
  ...(['nodes', 'keyPrefix', 'ttl', 'nodeTimeout', 'maxRuntime', 'onStoreDown'] as const),
  ...(['shutdownTimeout', 'enabled', 'instanceId', 'isGlobal'] as const),
];
const JOB_OPTIONS: readonly (keyof JobOptions)[] = [
  ...(['ttl', 'every', 'overlap', 'maxRuntime', 'recover', 'onStoreDown'] as const),
];

/** Fills in the defaults and refuses what is wrong. Throws `InvalidOptionError`. */
export function resolveOptions(options: RedlockModuleOptions): ResolvedOptions {
  refuseUnknown('RedlockModule: ', options, MODULE_OPTIONS);
  const { keyPrefix = 'JOB_LOCKER', enabled = true, instanceId = newInstanceId() } = options;
  if (typeof keyPrefix !== 'string' || keyPrefix === '') {
    throw new InvalidOptionError('keyPrefix', keyPrefix, "give a text such as 'JOB_LOCKER'");
  }
  if (typeof instanceId !== 'string' || instanceId === '') {
    throw new InvalidOptionError('instanceId', instanceId, "give a text such as 'worker-1', or leave it out");
  }
  if (typeof enabled !== 'boolean') {
    throw new InvalidOptionError('enabled', enabled, 'give true or false');
  }
  const nodeTimeout = milliseconds('nodeTimeout', options.nodeTimeout ?? '500ms');
  return {
    nodes: enabled ? checkedNodes(options.nodes) : 'memory',
    nodesLeftOut: enabled && options.nodes === undefined,
    keyPrefix,
    nodeTimeout,
    shutdownTimeout: milliseconds('shutdownTimeout', options.shutdownTimeout ?? '10s'),
    enabled,
    instanceId,
    job: resolveJobOptions(
      { maxRuntime: options.maxRuntime, onStoreDown: options.onStoreDown },
      nodeTimeout,
      {
        ttl: leaseDuration('ttl', options.ttl ?? '30s', nodeTimeout),
        every: undefined,
        overlap: 'skip',
        maxRuntime: undefined,
        recover: false,
        onStoreDown: 'skip',
      },
    ),
  };
}

/** Fills in what a job leaves out. Throws `InvalidOptionError`; `whose` names the job in it. */
export function resolveJobOptions(
  options: JobOptions,
  nodeTimeout: number,
  defaults: ResolvedJobOptions,
  whose = '',
): ResolvedJobOptions {
  refuseUnknown(whose, options, JOB_OPTIONS);
  const {
    overlap = defaults.overlap,
    recover = defaults.recover,
    onStoreDown = defaults.onStoreDown,
  } = options;
  const ttl =
    options.ttl === undefined ? defaults.ttl : leaseDuration(`${whose}ttl`, options.ttl, nodeTimeout);
  if (overlap !== 'skip' && overlap !== 'allow') {
    throw new InvalidOptionError(`${whose}overlap`, overlap, "give 'skip' or 'allow'");
  }
  if (typeof recover !== 'boolean') {
    throw new InvalidOptionError(`${whose}recover`, recover, 'give true or false');
  }
  if (recover && overlap === 'allow') {
    throw new InvalidOptionError(
      `${whose}recover`,
      recover,
      "with overlap: 'allow' newer ticks are settled before a dead one could be taken over; leave one of the two out",
    );
  }
  if (!['skip', 'run', 'throw'].includes(onStoreDown)) {
    throw new InvalidOptionError(`${whose}onStoreDown`, onStoreDown, "give 'skip', 'run' or 'throw'");
  }
  return {
    ttl,
    every: options.every === undefined ? defaults.every : milliseconds(`${whose}every`, options.every),
    overlap,
    maxRuntime:
      options.maxRuntime === undefined
        ? defaults.maxRuntime
        : milliseconds(`${whose}maxRuntime`, options.maxRuntime),
    recover,
    onStoreDown,
  };
}

/** A misspelt option would leave its default in force, and nobody the wiser. The values may be secrets. */
export function refuseUnknown(whose: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(`${whose}what is given for the options`, options, 'give an object');
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new InvalidOptionError(`${whose}an option`, unknown, `the options are ${known.join(', ')}`);
}

/** A `ttl` in milliseconds. Throws `InvalidOptionError` also for one that is too short to be renewed in time. */
export function leaseDuration(option: string, value: Duration, nodeTimeout: number): number {
  const ttl = milliseconds(option, value);
  if (ttl >= 3 * nodeTimeout) return ttl;
  throw new InvalidOptionError(
    option,
    value,
    `a lease that is renewed every third of its ttl, by nodes that may take ${nodeTimeout} ms, needs at least ${3 * nodeTimeout} ms`,
  );
}

/** The longest duration that a timer of Node can wait for, in milliseconds: some 24 days. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** A duration in whole milliseconds. Throws `InvalidOptionError` for anything that is no positive length of time. */
export function milliseconds(option: string, value: Duration): number {
  const length = typeof value === 'string' ? parse(value) : value;
  if (typeof length !== 'number' || !(length >= 1) || length > LONGEST_TIMER) {
    throw new InvalidOptionError(
      option,
      value,
      "give a whole number of milliseconds from 1 on, or a duration such as '500ms', '30s' or '10m' (24 days at most)",
    );
  }
  return Math.round(length);
}

function newInstanceId(): string {
  return `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
}
