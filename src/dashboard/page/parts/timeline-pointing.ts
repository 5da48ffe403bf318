// Which mark a pointer means.
import type { Active } from '../model/arrow-keys.js';
import type { Mark } from '../model/marks.js';
import { AXIS_HEIGHT, barEnd, type Scene, TRACK_HEIGHT, xOf } from './timeline-drawing.js';

/** How far from a mark a pointer may be, in pixels. */
const REACH = 9;

export function activeAt(scene: Scene, x: number, y: number): Active | undefined {
  const row = scene.rows[Math.floor((y - AXIS_HEIGHT + scene.scrollTop) / TRACK_HEIGHT)];
  if (y < AXIS_HEIGHT || !row) return undefined;
  const near = row.marks
    .map((mark) => ({ mark, distance: Math.abs(xOf(scene, mark.at) - x) }))
    .filter(({ distance }) => distance <= REACH)
    .toSorted((a, b) => a.distance - b.distance)[0]?.mark;
  const inside = ({ begin, ...mark }: Mark): boolean =>
    begin !== undefined && xOf(scene, begin) <= x && x <= xOf(scene, barEnd({ begin, ...mark }, scene.now));
  return { name: row.name, mark: near ?? row.marks.findLast(inside) };
}
