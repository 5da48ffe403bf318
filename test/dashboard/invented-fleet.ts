// A fleet as it might be after a day of work, for pages to look at: every outcome, and names from everywhere.
import type {
  DeclaredJobInfo,
  FleetInstance,
  RecordedOutcome,
  RunRecord,
} from '../../src/dashboard/redlock-data.js';
import { type FakeJob, FakeRedlock } from './fake-redlock.js';
import { infoOf } from './records.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const PAUSED = 'stock.import';
const INSTANCES = ['web-1:7:3f62e607', 'web-2:7:91c0aa42', 'web-3:7:d2218b3e'];

/** A name and an error that would be markup if a page let them. */
export const HOSTILE_NAME = '<img src=x onerror="document.title=\'owned\'">';
export const HOSTILE_ERROR = 'Error: <script>document.title="owned"</script>';

interface Plan {
  readonly expression: string;
  readonly timeZone?: string;
  /** In milliseconds. */
  readonly period: number;
  readonly takes: number;
  readonly outcomes?: Readonly<Record<number, RecordedOutcome | 'missed'>>;
  readonly error?: string;
}

const PLANS: Readonly<Record<string, Plan>> = {
  'billing.invoices': {
    expression: '0 */5 * * * *',
    period: 5 * MINUTE,
    takes: 42 * SECOND,
    outcomes: { 4: 'failed', 5: 'failed', 19: 'failed' },
    error: 'QueryFailedError: deadlock detected while updating "invoice"',
  },
  'cache.warm': { expression: '*/10 * * * * *', period: 10 * SECOND, takes: 1400 },
  'exports.nightly': {
    expression: '0 0 2 * * *',
    timeZone: 'Europe/Berlin',
    period: 24 * HOUR,
    takes: 34 * MINUTE,
    outcomes: { 2: 'died', 6: 'missed' },
  },
  'mail.digest': {
    expression: '0 0 8 * * 1-5',
    timeZone: 'America/New_York',
    period: 24 * HOUR,
    takes: 3 * MINUTE,
  },
  'orders.reconcile': {
    expression: '0 * * * * *',
    period: MINUTE,
    takes: 9 * SECOND,
    outcomes: { 6: 'died', 7: 'missed', 8: 'missed', 22: 'aborted' },
  },
  'search.reindex': { expression: '0 */15 * * * *', period: 15 * MINUTE, takes: 17 * MINUTE },
  'sessions.purge': { expression: '30 */2 * * * *', period: 2 * MINUTE, takes: 240 },
  'stock.import': { expression: '0 */10 * * * *', period: 10 * MINUTE, takes: 2 * MINUTE },
  'reports.日次集計': { expression: '0 0 * * * *', timeZone: 'Asia/Tokyo', period: HOUR, takes: 4 * MINUTE },
  [HOSTILE_NAME]: {
    expression: '0 */30 * * * *',
    period: 30 * MINUTE,
    takes: 5 * SECOND,
    outcomes: { 1: 'failed' },
    error: HOSTILE_ERROR,
  },
};

export function inventedFleet(extraJobs = 0): FakeRedlock {
  const now = Date.now();
  const jobs = new Map(Object.entries(PLANS).map(([name, plan]) => [name, jobOf(name, plan, now)]));
  for (let number = 0; number < extraJobs; number++) {
    const name = `tenant-${String(number).padStart(4, '0')}.sync`;
    jobs.set(name, jobOf(name, { expression: '0 * * * * *', period: MINUTE, takes: 100 + number * 7 }, now));
  }
  const redlock = new FakeRedlock(jobs);
  redlock.instances = INSTANCES.map((instanceId, index) =>
    instanceOf(instanceId, index, [...jobs.keys()], now),
  );
  redlock.nodes = [
    {
      address: 'redis-a:6379',
      votes: true,
      since: new Date(now - 31 * HOUR),
      latency: 0.4,
      clockOffset: 1,
      trouble: null,
    },
    {
      address: 'redis-b:6379',
      votes: true,
      since: new Date(now - 31 * HOUR),
      latency: 0.6,
      clockOffset: -3,
      trouble: null,
    },
    {
      address: 'redis-c:6379',
      votes: false,
      since: new Date(now - 7 * MINUTE),
      latency: null,
      clockOffset: null,
      trouble: 'connect ECONNREFUSED 10.0.3.12:6379',
    },
  ];
  return redlock;
}

function jobOf(name: string, plan: Plan, now: number): FakeJob {
  const { period, takes, outcomes = {}, error = null } = plan;
  const latest = Math.floor(now / period) * period;
  const records: RunRecord[] = [];
  let freeFrom = Number.NEGATIVE_INFINITY;
  let running: number | undefined;
  for (let back = 48; back >= 0; back--) {
    const tick = latest - back * period;
    const outcome = outcomes[back] ?? 'finished';
    const duration = Math.round(takes * (0.8 + 0.5 * Math.abs(Math.sin(tick / period))));
    const isPaused = name === PAUSED && tick > now - 25 * MINUTE;
    if (outcome === 'missed' || isPaused || tick < freeFrom) continue;
    freeFrom = tick + duration;
    if (freeFrom > now) running = tick;
    if (freeFrom > now) continue;
    records.unshift({
      runId: `${name} ${tick}`,
      tick: new Date(tick),
      startedAt: new Date(tick + 4 + (back % 7)),
      instanceId: INSTANCES[(back * 7 + Math.floor(tick / period)) % 3] ?? '',
      duration: outcome === 'died' ? null : duration,
      outcome,
      trigger: 'schedule',
      package: '0.1.0',
      schedule: 'same',
      error:
        outcome === 'failed'
          ? error
          : outcome === 'aborted'
            ? 'LockLostError: The lock is lost: its lease ended'
            : null,
    });
  }
  const info: DeclaredJobInfo = infoOf(name, {
    kind: 'cron',
    expression: plan.expression,
    timeZone: plan.timeZone ?? null,
  });
  return {
    info,
    records,
    next: Array.from({ length: 400 }, (_one, index) => new Date(latest + (index + 1) * period)),
    status: {
      ...(running !== undefined && {
        running: {
          runId: 'r',
          instanceId: INSTANCES[0] ?? '',
          tick: new Date(running),
          startedAt: new Date(running + 5),
        },
      }),
      ...(name === PAUSED && {
        paused: {
          by: INSTANCES[1] ?? '',
          at: new Date(now - 25 * MINUTE),
          since: new Date(now - 25 * MINUTE),
          until: new Date(now + 95 * MINUTE),
          note: 'migration 42',
        },
      }),
      ...(name === 'mail.digest' && { overdueBy: 12 * MINUTE }),
    },
  };
}

function instanceOf(instanceId: string, index: number, names: readonly string[], now: number): FleetInstance {
  const isOld = index === 2;
  return {
    instanceId,
    host: instanceId.split(':')[0] ?? '',
    pid: 7,
    version: isOld ? '0.1.0' : '0.2.0',
    startedAt: new Date(now - (isOld ? 31 * HOUR : 7 * MINUTE + index * 40 * SECOND)),
    clockOffset: [2, -1, 38][index] ?? null,
    nodes: ['redis-a:6379', 'redis-b:6379', 'redis-c:6379'],
    jobs: names.map((name) => ({
      name,
      declaredAs: `${name.split('.')[0]}.${name.split('.')[1] ?? 'run'}()`,
      fingerprint: isOld && name === 'orders.reconcile' ? '77aa02cd91' : 'b1946ac924',
    })),
  };
}
