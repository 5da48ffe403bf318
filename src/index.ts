export { Exclusive, type ExclusiveDecorator } from './decorators/exclusive.decorator.js';
export {
  type Claim,
  EARLY_CLAIM,
  KEEP_LAST,
  type LockNode,
  type Marker,
  type NodeReport,
  type Refusal,
  TAKEOVER,
  type TickClaim,
  type Vote,
} from './nodes/lock-node.js';
export { MemoryNode } from './nodes/memory-node.js';
export {
  InvalidOptionError,
  LockLostError,
  NodeUnreachableError,
  ShutdownError,
  StoreDownError,
  TimeoutError,
} from './redlock.errors.js';
export { RedlockModule } from './redlock.module.js';
export type {
  Duration,
  JobName,
  JobOptions,
  NodeOption,
  OnStoreDown,
  RedisClient,
  RedlockModuleExtras,
  RedlockModuleOptions,
  RedlockOptionsFactory,
} from './redlock.options.js';
export type { LossReason, RunOutcome, SkipReason } from './run-outcome.js';
export type { EndedRunEvent, RedlockEventMap, RedlockListener, RunEvent } from './services/redlock-events.js';
export {
  type LockOptions,
  type RedlockLock,
  RedlockService,
  type RunOptions,
} from './services/redlock.service.js';
export type { CurrentRun } from './services/run-context.js';
