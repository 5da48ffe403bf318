// The types of the `RedlockService` data that the dashboard shows. Of the code outside `dashboard/`, the page imports
// only what this file exports.
export type { Trigger } from '../acquire/token.js';
export type { DriftKind } from '../records/drift.js';
export type { FleetInstance } from '../records/fleet-card.js';
export type { Health, NodeHealth } from '../records/health.js';
export type { DeclaredJobInfo, JobSchedule as ScheduleInfo, JobStatus } from '../records/job-status.js';
export type { RecordedOutcome, RunRecord } from '../records/run-record.js';
