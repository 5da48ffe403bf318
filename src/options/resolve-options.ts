import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { InvalidOptionError } from '../errors.js';
import { checkedNodes } from '../nodes/create-nodes.js';
import { leaseDuration, milliseconds } from './duration.js';
import type { JobOptions, RedlockModuleOptions, ResolvedJobOptions, ResolvedOptions } from './options.js';

const MODULE_OPTIONS: readonly (keyof RedlockModuleOptions | 'isGlobal')[] = [
  ...(['nodes', 'keyPrefix', 'ttl', 'nodeTimeout', 'maxRuntime', 'onStoreDown'] as const),
  ...(['shutdownTimeout', 'enabled', 'instanceId', 'isGlobal'] as const),
];
const JOB_OPTIONS: readonly (keyof JobOptions)[] = [
  ...(['ttl', 'every', 'overlap', 'maxRuntime', 'recover', 'onStoreDown'] as const),
];

/** Fills in the defaults. Throws `InvalidOptionError` for invalid options. */
export function resolveOptions(options: RedlockModuleOptions): ResolvedOptions {
  refuseUnknown('RedlockModule: ', options, MODULE_OPTIONS);
  const { keyPrefix = 'JOB_LOCKER', enabled = true, instanceId = newInstanceId() } = options;
  if (typeof keyPrefix !== 'string' || keyPrefix === '') {
    throw new InvalidOptionError('keyPrefix', keyPrefix, "use a string such as 'JOB_LOCKER'");
  }
  if (typeof instanceId !== 'string' || instanceId === '') {
    throw new InvalidOptionError(
      'instanceId',
      instanceId,
      "use a string such as 'worker-1', or leave it out",
    );
  }
  if (typeof enabled !== 'boolean') {
    throw new InvalidOptionError('enabled', enabled, 'use true or false');
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

/** Fills in the defaults of a job. Throws `InvalidOptionError`; `whose` is the prefix for its messages. */
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
    throw new InvalidOptionError(`${whose}overlap`, overlap, "use 'skip' or 'allow'");
  }
  if (typeof recover !== 'boolean') {
    throw new InvalidOptionError(`${whose}recover`, recover, 'use true or false');
  }
  if (recover && overlap === 'allow') {
    throw new InvalidOptionError(
      `${whose}recover`,
      recover,
      "with overlap: 'allow' newer ticks are settled before a dead one could be taken over; leave one of the two out",
    );
  }
  if (!['skip', 'run', 'throw'].includes(onStoreDown)) {
    throw new InvalidOptionError(`${whose}onStoreDown`, onStoreDown, "use 'skip', 'run' or 'throw'");
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

/** Without this check, a misspelled option would be silently ignored. Values are not shown: they may be secrets. */
export function refuseUnknown(whose: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(`${whose}what is given for the options`, options, 'use an object');
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new InvalidOptionError(`${whose}an option`, unknown, `the options are ${known.join(', ')}`);
}

function newInstanceId(): string {
  return `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
}
