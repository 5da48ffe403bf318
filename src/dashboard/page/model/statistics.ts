import type { Mark } from './marks.js';

/** What the recorded runs of a job amount to. */
export interface Statistics {
  /** From 0 to 1; `null` without a run. */
  readonly successRate: number | null;
  /**
   * The 95th percentile of the durations, in milliseconds: at least 95 % of the runs took no longer. `null` if no run
   * has ended.
   */
  readonly p95: number | null;
  /** How many ticks have no known run, leaving aside pauses and overlaps. */
  readonly missed: number;
  readonly runs: number;
}

export function statisticsOf(marks: readonly Mark[]): Statistics {
  const runs = marks.filter(({ begin, kind }) => begin !== undefined && kind !== 'running');
  const durations = runs.flatMap(({ begin, end }) =>
    begin === undefined || end === undefined ? [] : [end - begin],
  );
  return {
    successRate: runs.length === 0 ? null : runs.filter(({ kind }) => kind === 'ran').length / runs.length,
    p95: percentile(durations, 0.95),
    missed: marks.reduce((sum, { kind, count = 1 }) => (kind === 'missed' ? sum + count : sum), 0),
    runs: runs.length,
  };
}

/** The percentile by nearest rank; `null` without values. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
