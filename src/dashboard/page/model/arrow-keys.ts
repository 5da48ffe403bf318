import type { JobRow } from './job-row.js';
import type { Mark } from './marks.js';

/** What a pointer or a key has reached: a mark of a row or, in an empty place, only the row. */
export interface Active {
  readonly name: string;
  readonly mark: Mark | undefined;
}

/** The mark that an arrow key leads to; if nothing is active, the first row's newest one that is not in the future. */
export function stepped(
  rows: readonly JobRow[],
  active: Active | undefined,
  key: string,
): Active | undefined {
  const index = rows.findIndex(({ name }) => name === active?.name);
  const row = rows[Math.max(0, index)];
  if (!row) return undefined;
  const vertical = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (vertical !== undefined && index >= 0) {
    const other = rows[Math.min(rows.length - 1, Math.max(0, index + vertical))] ?? row;
    return { name: other.name, mark: closest(other.marks, active?.mark?.at) };
  }
  const at = active?.mark ? indexOf(row.marks, active.mark) : -1;
  if (at < 0)
    return { name: row.name, mark: row.marks.findLast(({ kind }) => kind !== 'due') ?? row.marks[0] };
  const horizontal = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: row.marks.length - 1 }[key] ?? at;
  return { name: row.name, mark: row.marks[Math.min(row.marks.length - 1, Math.max(0, horizontal))] };
}

/** Two runs can have the same tick, as after a takeover; and a tick that was due may have been run since. */
function indexOf(marks: readonly Mark[], { at, runId }: Mark): number {
  const index = marks.findIndex((mark) => mark.at === at && mark.runId === runId);
  return index < 0 ? marks.findIndex((mark) => mark.at === at) : index;
}

/** The mark closest to a time, or the newest one. A mark in the future only if there is no other. */
function closest(marks: readonly Mark[], at: number | undefined): Mark | undefined {
  const past = marks.filter(({ kind }) => kind !== 'due');
  if (at === undefined) return past.at(-1) ?? marks[0];
  return past.toSorted((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at))[0] ?? marks[0];
}
