import type { DeclaredJobInfo, RunRecord } from '../../src/dashboard/redlock-data.js';
import type { FakeJob } from './fake-redlock.js';

export const DAY = 86_400_000;

/** A run of ten seconds, of which a test says what matters. */
export function recordOf(run: Partial<RunRecord>): RunRecord {
  const tick = run.tick === undefined ? new Date(Date.UTC(2026, 0, 1)) : run.tick;
  return {
    runId: `run-${Number(tick)}`,
    tick,
    instanceId: 'web-1:7:3f62e607',
    startedAt: new Date(Number(tick) + 3),
    duration: 10_000,
    outcome: 'finished',
    error: null,
    trigger: 'schedule',
    package: '0.1.0',
    schedule: null,
    ...run,
  };
}

export function infoOf(name: string, schedule: DeclaredJobInfo['schedule']): DeclaredJobInfo {
  const options: DeclaredJobInfo['options'] = {
    ttl: 30_000,
    every: null,
    overlap: 'skip',
    maxRuntime: null,
    recover: false,
    onStoreDown: 'skip',
    history: 50,
    overdueAfter: null,
    missed: 'skip',
    spread: null,
  };
  return { name, isPattern: false, declaredAs: `Jobs.${name}`, schedule, options };
}

/** A job that runs each day, and next tomorrow. */
export function dailyJob(name: string, records: readonly RunRecord[]): FakeJob {
  const tomorrow = Math.floor(Date.now() / DAY + 1) * DAY;
  const next = Array.from({ length: 30 }, (_one, days) => new Date(tomorrow + days * DAY));
  return { info: infoOf(name, { kind: 'cron', expression: '0 0 * * *', timeZone: 'UTC' }), records, next };
}
