// The module and its options.
export { RedlockModule } from './redlock.module.js';
export type {
  ConnectionOptions,
  NodeOption,
  OnStoreDown,
  RedisClient,
  RedlockModuleExtras,
  RedlockModuleOptions,
  RedlockOptionsFactory,
} from './options/options.js';
export type { Duration, DurationUnit } from './options/duration.js';

// Scheduled jobs.
export { Exclusive, type ExclusiveDecorator } from './decorators/exclusive.decorator.js';
export type { JobName, JobOptions } from './options/options.js';

// Locks and runs in your own code.
export {
  type LockOptions,
  type RedlockLock,
  RedlockService,
  type RunOptions,
} from './services/redlock.service.js';
export type { CurrentRun } from './runs/run-context.js';
export type { RunOutcome, SkipReason } from './runs/run-outcome.js';

// Events.
export type { EndedRunEvent, RedlockEventMap, RedlockListener, RunEvent } from './runs/run-event.js';

// Errors.
export {
  InvalidOptionError,
  LockLostError,
  NodeUnreachableError,
  NotInjectedError,
  RedlockError,
  type RedlockErrorCode,
  RunTimeoutError,
  ShutdownError,
  StoreDownError,
} from './errors.js';

// The node in memory. To write a node for another store, see `nestjs-exclusive/node`.
export { MemoryNode } from './nodes/memory-node.js';
