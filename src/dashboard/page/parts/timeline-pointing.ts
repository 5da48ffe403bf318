// Which mark a pointer or a key means.
import type { JobRow } from '../model/job-row.js';
import type { Mark } from '../model/marks.js';
import { AXIS_HEIGHT, endOf, type Scene, TRACK_HEIGHT, xOf } from './timeline-drawing.js';

/** How far from a mark a pointer may be, in pixels. */
const REACH = 9;

/** A mark of a row that a pointer or a key has reached; of an empty place, only the row. */
export interface Active {
  readonly name: string;
  readonly mark: Mark | undefined;
}

export function activeAt(scene: Scene, x: number, y: number): Active | undefined {
  const row = scene.rows[Math.floor((y - AXIS_HEIGHT + scene.scrollTop) / TRACK_HEIGHT)];
  if (y < AXIS_HEIGHT || !row) return undefined;
  const near = row.marks
    .map((mark) => ({ mark, distance: Math.abs(xOf(scene, mark.at) - x) }))
    .filter(({ distance }) => distance <= REACH)
    .toSorted((a, b) => a.distance - b.distance)[0]?.mark;
  const inside = ({ begin, ...mark }: Mark): boolean =>
    begin !== undefined && xOf(scene, begin) <= x && x <= xOf(scene, endOf({ begin, ...mark }, scene.now));
  return { name: row.name, mark: near ?? row.marks.findLast(inside) };
}

/** The mark that an arrow key leads to. From nowhere, that is the newest one that is not yet to come. */
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
  const at = active?.mark ? row.marks.findIndex((mark) => mark.at === active.mark?.at) : -1;
  if (at < 0)
    return { name: row.name, mark: row.marks.findLast(({ kind }) => kind !== 'due') ?? row.marks[0] };
  const horizontal = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: row.marks.length - 1 }[key] ?? at;
  return { name: row.name, mark: row.marks[Math.min(row.marks.length - 1, Math.max(0, horizontal))] };
}

function closest(marks: readonly Mark[], at = Number.POSITIVE_INFINITY): Mark | undefined {
  const past = marks.filter(({ kind }) => kind !== 'due');
  return past.toSorted((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at))[0] ?? marks[0];
}
