import { ownTick } from '../acquire/token.js';
import { intervalOf } from '../schedule/due-times.js';
import type { GapTuple, RunTuple, ShownJob } from './page-data.js';
import type { DeclaredJobInfo, JobStatus, RunRecord } from './redlock-data.js';

/** How many past ticks to remember. */
const MOST_PASSED = 100;
const PROCESS_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What is known of a job. */
export interface JobFacts {
  readonly name: string;
  readonly info: DeclaredJobInfo | undefined;
  readonly status: JobStatus | undefined;
  readonly records: readonly RunRecord[];
  readonly ticks: readonly number[];
  readonly gaps: readonly GapTuple[];
}

/** A job as the overview shows it, with its newest `limit` runs. */
export function shownJob({ name, info, status, records, ticks, gaps }: JobFacts, limit: number): ShownJob {
  const schedule = info?.schedule ?? { kind: 'none' };
  const zone = schedule.kind === 'cron' ? schedule.timeZone : null;
  const shown = records.slice(0, limit);
  const run = new Set(records.map((record) => ownTick(record)?.getTime()));
  const oldest = records.at(-1);
  // The records of earlier ticks may have been dropped to make room for newer ones.
  const since = oldest ? Number(oldest.tick ?? oldest.startedAt) : Number.NEGATIVE_INFINITY;
  return {
    name,
    isPattern: info?.isPattern ?? false,
    isDeclared: info !== undefined,
    schedule,
    zone: zone ?? PROCESS_ZONE,
    options: info?.options ?? null,
    status,
    runs: shown.map(tupleOf),
    // The page does not know the records that are left out: it must not take their ticks for missed ones.
    sameSince: sameSince(shown),
    ticks: ticks.filter((tick) => tick > since && !run.has(tick)),
    gaps,
  };
}

/** @param records Newest first. */
function sameSince(records: readonly RunRecord[]): number | null {
  const ticks = records.filter(({ schedule }) => schedule !== null);
  const changed = ticks.findIndex(({ schedule }) => schedule !== ticks[0]?.schedule);
  const oldest = ticks.at(changed === -1 ? -1 : changed - 1);
  return oldest?.tick ? +oldest.tick : null;
}

/**
 * Advances the known ticks to `now`. Those that have passed stay for a while, so that the page can show which have no
 * record.
 *
 * @param preview Computes the next ticks, which takes long: called only if `next` is not the next known one.
 */
export function ticksAt(
  now: number,
  known: readonly number[],
  next: number | undefined,
  preview: () => readonly Date[],
): number[] {
  const passed = known.filter((tick) => tick <= now).slice(-MOST_PASSED);
  const upcoming = known.filter((tick) => tick > now);
  if (next === undefined) return passed;
  return [
    ...passed,
    ...(upcoming[0] === next
      ? upcoming
      : preview()
          .map(Number)
          .filter((tick) => tick > now)),
  ];
}

/**
 * The next `amount` times of a job that is due a while after its last run (`@Interval`, `every`), or only the next one
 * if the others cannot be told; `undefined` for a job with fixed ticks, or one that this instance does not declare by
 * name.
 */
export function timesAfterRun(
  info: DeclaredJobInfo | undefined,
  next: number | undefined,
  amount: number,
): number[] | undefined {
  const { schedule, options } = info ?? {};
  const every = options?.every ?? undefined;
  if (schedule?.kind !== 'interval' && every === undefined) return undefined;
  if (next === undefined) return [];
  if (schedule?.kind !== 'interval') return [next];
  const period = intervalOf(schedule.every, every);
  return Array.from({ length: amount }, (_, index) => next + index * period);
}

function tupleOf(record: RunRecord): RunTuple {
  const { runId, tick, startedAt, duration, outcome, instanceId, trigger, error } = record;
  return [runId, tick && +tick, +startedAt, duration, outcome, instanceId, trigger, error];
}
