import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { InvalidOptionError } from '../errors.js';
import {
  anything,
  type Belongs,
  boolean,
  type Check,
  type Checked,
  checkedOptions,
  MODULE,
  oneOf,
  text,
  wholeNumber,
} from '../checks.js';
import { longMilliseconds, milliseconds, ttlCheck } from './duration.js';
import { nodeEntries } from './nodes-option.js';
import type { JobOptions, RedlockModuleOptions, ResolvedJobOptions, ResolvedOptions } from './options.js';

/** The most records of one job: they are one list in Redis, and one reply may contain all of them. */
export const LARGEST_HISTORY = 10_000;

/** How many records are kept, or read. */
export const historySize = wholeNumber(0, LARGEST_HISTORY);

const onStoreDown = oneOf('skip', 'run', 'throw');

/**
 * A prefix with a brace could make two applications share a key. One hash tag at its start cannot: no other key of this
 * package starts with `{` and has `_` after the `}`.
 */
const keyPrefix: Check<string> = (where, option, value) => {
  const prefix = text('JOB_LOCKER')(where, option, value);
  if (!/[{}]/.test(prefix) || /^\{[^{}]+\}[^{}]*$/.test(prefix)) return prefix;
  throw new InvalidOptionError(
    where,
    option,
    "must not contain braces, except for one hash tag at its start, such as '{shop}': two applications could share a key",
    { received: value },
  );
};

/** The longest name of an instance, in characters: each token and each run record contains it. */
const LONGEST_INSTANCE_ID = 300;

const instanceId: Check<string> = (where, option, value) => {
  const id = text('worker-1')(where, option, value);
  if (id.length <= LONGEST_INSTANCE_ID) return id;
  throw new InvalidOptionError(where, option, `must not be longer than ${LONGEST_INSTANCE_ID} characters`);
};

/** How old a missed tick may be to be made up for, in milliseconds; `undefined`: never. */
const missed: Check<number | undefined> = (where, option, value) => {
  if (value === 'skip') return undefined;
  if (value === 'once') return Number.POSITIVE_INFINITY;
  if (typeof value === 'object' && value !== null) {
    const { within } = checkedOptions(where, value, {
      within: (_where, _option, duration) => longMilliseconds(where, `${option}.within`, duration),
    });
    if (within !== undefined) return within;
  }
  throw new InvalidOptionError(
    where,
    option,
    "must be 'skip', 'once' or { within }, such as { within: '6h' }",
    {
      received: value,
    },
  );
};

const MODULE_CHECKS = {
  // Checked only if the module is enabled.
  nodes: anything,
  keyPrefix,
  // Checked once `nodeTimeout` is known.
  ttl: anything,
  nodeTimeout: milliseconds,
  maxRuntime: milliseconds,
  onStoreDown,
  spread: milliseconds,
  shutdownTimeout: milliseconds,
  history: historySize,
  recordErrors: boolean,
  overdueAfter: longMilliseconds,
  enabled: boolean,
  instanceId,
} satisfies Record<keyof RedlockModuleOptions, Check<unknown>>;

/** The names of the options of the module. */
export const MODULE_OPTIONS: readonly string[] = Object.keys(MODULE_CHECKS);

const belongs: Belongs = (option) =>
  option === 'isGlobal'
    ? 'set isGlobal in forRoot or forRootAsync itself, not in what a factory returns'
    : undefined;

/** Fills in the defaults. Throws `InvalidOptionError` for invalid options. */
export function resolveOptions(options: unknown): ResolvedOptions {
  const given = checkedOptions(MODULE, options, MODULE_CHECKS, belongs);
  const { enabled = true, nodeTimeout = 500 } = given;
  const { maxRuntime, onStoreDown: whenDown = 'skip' } = given;
  return {
    nodes: nodeEntries(enabled ? given.nodes : 'memory'),
    nodesOmitted: enabled && given.nodes === undefined,
    keyPrefix: given.keyPrefix ?? 'JOB_LOCKER',
    nodeTimeout,
    shutdownTimeout: given.shutdownTimeout ?? 10_000,
    enabled,
    instanceId: given.instanceId ?? newInstanceId(),
    recordErrors: given.recordErrors ?? true,
    job: {
      ttl: ttlCheck(nodeTimeout)(MODULE, 'ttl', given.ttl === undefined ? 30_000 : given.ttl),
      every: undefined,
      overlap: 'skip',
      maxRuntime,
      recover: false,
      onStoreDown: whenDown,
      missed: undefined,
      history: given.history ?? 50,
      overdueAfter: given.overdueAfter,
      spread: undefined,
      defaultSpread: given.spread,
    },
  };
}

/** The checks of the options of a job. */
export function jobChecks(nodeTimeout: number) {
  return {
    ttl: ttlCheck(nodeTimeout),
    every: milliseconds,
    overlap: oneOf('skip', 'buffer-one', 'allow'),
    maxRuntime: milliseconds,
    recover: boolean,
    onStoreDown,
    missed,
    history: historySize,
    overdueAfter: longMilliseconds,
    spread: milliseconds,
  } satisfies Record<keyof JobOptions, Check<unknown>>;
}

/** Fills in the defaults of a job. Throws `InvalidOptionError` for options that contradict each other. */
export function resolveJobOptions(
  where: string,
  checked: Checked<ReturnType<typeof jobChecks>>,
  defaults: ResolvedJobOptions,
): ResolvedJobOptions {
  const options = { ...defaults, ...checked };
  if (options.missed !== undefined && options.history === 0) {
    throw new InvalidOptionError(
      where,
      'missed',
      'cannot be combined with history: 0: run records tell which ticks were missed',
    );
  }
  if (!options.recover || options.overlap !== 'allow') return options;
  throw new InvalidOptionError(
    where,
    'recover',
    "cannot be combined with overlap: 'allow': newer ticks would be settled before a dead one could be taken over",
  );
}

function newInstanceId(): string {
  return `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
}
