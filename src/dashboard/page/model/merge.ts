// What the page knows, and what each answer of the server adds to it.
import type { GapTuple, Json, Overview, RunTuple } from '../../page-data.js';
import { type JobRow, rowOf } from './job-row.js';

/** Nodes forget old runs; a page that stays open does not, up to this many of a job. */
const MOST_RUNS = 500;
const MOST_GAPS = 200;

/** The rows with the jobs of an answer. An older answer, of another instance, does not overwrite a newer one. */
export function merged(
  rows: ReadonlyMap<string, JobRow>,
  jobs: Json<Overview>['jobs'],
): ReadonlyMap<string, JobRow> {
  if (jobs.length === 0) return rows;
  const all = new Map(rows);
  for (const [readAt, job] of jobs) {
    const before = all.get(job.name);
    if (before && before.readAt > readAt) continue;
    const runs = union<RunTuple>(job.runs, before?.job.runs ?? [], ([runId]) => runId);
    // A gap is not identified by its end, because it grows.
    const gaps = union<GapTuple>(
      job.gaps,
      before?.job.gaps ?? [],
      ([from, , , cause, told]) => `${from} ${cause} ${told}`,
    );
    const next = { ...job, runs: runs.slice(0, MOST_RUNS), gaps: gaps.slice(0, MOST_GAPS) };
    all.set(job.name, rowOf(next, readAt));
  }
  return all;
}

/** The cursors to send: the latest of each instance that has answered. */
export function cursorsWith(cursors: readonly string[], latest: string): string[] {
  const instance = latest.split('.', 1)[0] ?? '';
  return [latest, ...cursors.filter((cursor) => !cursor.startsWith(`${instance}.`))].slice(0, 20);
}

function union<T>(newer: readonly T[], older: readonly T[], keyOf: (one: T) => string): T[] {
  const keys = new Set(newer.map(keyOf));
  return [...newer, ...older.filter((one) => !keys.has(keyOf(one)))];
}
