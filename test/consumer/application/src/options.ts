import type {
  HistoryOptions,
  JobOptions,
  LockOptions,
  PauseOptions,
  RedlockModuleOptions,
  RunOptions,
} from 'nestjs-exclusive';
import type { RedlockDashboardAsyncOptions, RedlockDashboardOptions } from 'nestjs-exclusive/dashboard';
import type { RedlockTelemetryOptions } from 'nestjs-exclusive/opentelemetry';
import type { ContractSubject, TestFleetOptions } from 'nestjs-exclusive/testing';

/** The same options, any of which may be `undefined`, such as `{ keyPrefix: process.env.KEY_PREFIX }`. */
type Unset<Options> = {
  [Name in keyof Options]: {} extends Pick<Options, Name> ? Options[Name] | undefined : Options[Name];
};

/** Is compiled, and never called: `exactOptionalPropertyTypes` does not add `undefined` to what an option can be. */
export const accepted = {
  module: (given: Unset<RedlockModuleOptions>): RedlockModuleOptions => given,
  job: (given: Unset<JobOptions>): JobOptions => given,
  run: (given: Unset<RunOptions>): RunOptions => given,
  lock: (given: Unset<LockOptions>): LockOptions => given,
  history: (given: Unset<HistoryOptions>): HistoryOptions => given,
  pause: (given: Unset<PauseOptions>): PauseOptions => given,
  dashboard: (given: Unset<RedlockDashboardOptions>): RedlockDashboardOptions => given,
  laterDashboard: (given: Unset<RedlockDashboardAsyncOptions>): RedlockDashboardAsyncOptions => given,
  telemetry: (given: Unset<RedlockTelemetryOptions>): RedlockTelemetryOptions => given,
  fleet: (given: Unset<TestFleetOptions>): TestFleetOptions => given,
  contract: (given: Unset<ContractSubject>): ContractSubject => given,
};
