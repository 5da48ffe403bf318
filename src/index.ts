// The module and its options.
export { RedlockModule } from './redlock.module.js';
export type {
  ConnectionOptions,
  NodeOption,
  OnStoreDown,
  Overlap,
  RedisClient,
  RedlockModuleExtras,
  RedlockModuleOptions,
  RedlockOptionsFactory,
} from './options/options.js';
export type { Duration, DurationUnit } from './options/duration.js';

// Scheduled jobs.
export { Exclusive, type ExclusiveDecorator } from './decorators/exclusive.decorator.js';
export type { JobName, JobOptions, MissedWithin } from './options/options.js';

// Locks and runs in your own code.
export { RedlockService } from './services/redlock.service.js';
export type { HistoryOptions, LockOptions, PauseOptions, RunOptions } from './options/service-options.js';
export type { RedlockLock } from './runs/held-lock.js';
export type { CurrentRun } from './runs/run-context.js';
export type { RunOutcome, SkipReason } from './runs/run-outcome.js';

// Events.
export type {
  DriftEvent,
  EndedRunEvent,
  MissedCause,
  MissedEvent,
  OverdueEvent,
  RedlockEventMap,
  RedlockListener,
  RunEvent,
} from './events/events.js';

// What the fleet does and has done.
export type { RecordedOutcome, RunRecord } from './records/run-record.js';
export type {
  DeclaredJobInfo,
  DeclaredJobOptions,
  JobSchedule,
  JobStatus,
  RunningJob,
} from './records/job-status.js';
export type { JobPause } from './records/job-pause.js';
export type { FleetInstance, FleetJob } from './records/fleet-card.js';
export type { Health, NodeHealth, OverdueJob } from './records/health.js';
export type { Trigger } from './acquire/token.js';

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
