// Draws the timeline on a canvas: thousands of marks move with each frame of a drag.
import type { JobRow } from '../model/job-row.js';
import { KINDS, type Mark, type MarkKind } from '../model/marks.js';
import { axisTicks, type Span } from '../model/time-axis.js';
import { SHAPES } from './shapes.js';

/** In pixels; `styles/timeline.css` has the same. */
export const AXIS_HEIGHT = 28;
export const TRACK_HEIGHT = 30;
const SHAPE_SIZE = 12;
/** Marks that are closer together than this, in pixels, are drawn smaller. */
const DENSE = 9;

/** What is drawn. */
export interface Scene {
  readonly rows: readonly JobRow[];
  readonly span: Span;
  readonly now: number;
  readonly width: number;
  readonly height: number;
  /** Where time begins, to the right of the names. */
  readonly left: number;
  readonly scrollTop: number;
  readonly active: { readonly name: string; readonly mark: Mark | undefined } | undefined;
}

type Colors = Readonly<Record<MarkKind | 'line' | 'muted' | 'text' | 'surface' | 'hover' | 'accent', string>>;

const PATHS = new Map(KINDS.map((kind) => [kind, new Path2D(SHAPES[kind].path)]));
/** The worst is drawn last, so that nothing hides it. */
const LAYERS: readonly MarkKind[] = [
  'due',
  'ran',
  'running',
  'paused',
  'overlap',
  'aborted',
  'missed',
  'died',
  'failed',
];

export function xOf({ span: { from, to }, left, width }: Scene, at: number): number {
  return left + ((at - from) / (to - from)) * (width - left);
}

export function timeAt({ span: { from, to }, left, width }: Scene, x: number): number {
  return from + ((x - left) / Math.max(width - left, 1)) * (to - from);
}

/** When the bar of a run ends. A run whose end is unknown has no bar, unless it is in progress. */
export const barEnd = ({ kind, end, begin = 0 }: Mark, now: number): number =>
  end ?? (kind === 'running' ? now : begin);

export function draw(canvas: HTMLCanvasElement, scene: Scene): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { width, height, left, rows, scrollTop } = scene;
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const colors = colorsOf(canvas);
  const first = Math.floor(scrollTop / TRACK_HEIGHT);
  const end = Math.min(rows.length, Math.ceil((scrollTop + height - AXIS_HEIGHT) / TRACK_HEIGHT));
  drawTracks(context, scene, colors, first, end);
  drawGrid(context, scene, colors);
  context.save();
  context.beginPath();
  context.rect(left, AXIS_HEIGHT, width - left, height - AXIS_HEIGHT);
  context.clip();
  for (const [index, row] of rows.slice(first, end).entries()) {
    drawMarks(context, scene, colors, row, AXIS_HEIGHT + (first + index + 0.5) * TRACK_HEIGHT - scrollTop);
  }
  context.restore();
  drawAxis(context, scene, colors);
}

function colorsOf(canvas: HTMLCanvasElement): Colors {
  const style = getComputedStyle(canvas);
  const names = [...KINDS, 'line', 'muted', 'text', 'surface', 'hover', 'accent'];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`)])) as Colors;
}

function drawTracks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  colors: Colors,
  first: number,
  end: number,
): void {
  const { rows, scrollTop, width, active } = scene;
  for (let index = first; index < end; index++) {
    const top = AXIS_HEIGHT + index * TRACK_HEIGHT - scrollTop;
    if (rows[index]?.name === active?.name) {
      context.fillStyle = colors.hover;
      context.fillRect(0, top, width, TRACK_HEIGHT);
    }
    context.fillStyle = colors.line;
    context.fillRect(0, top + TRACK_HEIGHT - 1, width, 1);
  }
}

function drawGrid(context: CanvasRenderingContext2D, scene: Scene, colors: Colors): void {
  const { span, width, left, height, now } = scene;
  for (const { at, isDay } of axisTicks(span, width - left)) {
    context.fillStyle = isDay ? colors.muted : colors.line;
    context.globalAlpha = isDay ? 0.3 : 1;
    context.fillRect(Math.round(xOf(scene, at)), AXIS_HEIGHT, 1, height - AXIS_HEIGHT);
  }
  context.globalAlpha = 1;
  const x = xOf(scene, now);
  if (x < left || x > width) return;
  context.fillStyle = colors.hover;
  context.fillRect(x, AXIS_HEIGHT, width - x, height - AXIS_HEIGHT);
  context.fillStyle = colors.accent;
  context.fillRect(Math.round(x), AXIS_HEIGHT - 4, 1, height - AXIS_HEIGHT + 4);
}

/** Over whatever scrolls below it. */
function drawAxis(context: CanvasRenderingContext2D, scene: Scene, colors: Colors): void {
  const { span, width, left, now } = scene;
  context.fillStyle = colors.surface;
  context.fillRect(0, 0, width, AXIS_HEIGHT - 1);
  context.fillStyle = colors.line;
  context.fillRect(0, AXIS_HEIGHT - 1, width, 1);
  context.textBaseline = 'middle';
  const family = getComputedStyle(context.canvas).fontFamily;
  const nowX = xOf(scene, now);
  for (const { at, label, isDay } of axisTicks(span, width - left)) {
    const x = xOf(scene, at);
    context.font = `${isDay ? '600 ' : ''}11px ${family}`;
    const end = x + 4 + context.measureText(label).width;
    if (end > width - 2 || (x < nowX + 14 && end > nowX - 16)) continue;
    context.fillStyle = isDay ? colors.text : colors.muted;
    context.fillText(label, x + 4, AXIS_HEIGHT / 2);
    context.fillStyle = colors.line;
    context.fillRect(Math.round(x), AXIS_HEIGHT - 6, 1, 6);
  }
  if (nowX < left || nowX > width) return;
  context.font = `600 11px ${family}`;
  context.fillStyle = colors.accent;
  context.textAlign = nowX > width - 20 ? 'right' : 'center';
  context.fillText('now', nowX, AXIS_HEIGHT / 2);
  context.textAlign = 'left';
}

function drawMarks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  colors: Colors,
  row: JobRow,
  y: number,
): void {
  const { span, now, active, left, width } = scene;
  const seen = row.marks.filter(
    (mark) => mark.at <= span.to && Math.max(mark.at, barEnd(mark, now)) >= span.from,
  );
  const room = (width - left) / Math.max(1, seen.length);
  const size = room < DENSE ? SHAPE_SIZE * 0.7 : SHAPE_SIZE;
  for (const kind of LAYERS) {
    let lastX = Number.NEGATIVE_INFINITY;
    context.fillStyle = context.strokeStyle = colors[kind];
    for (const mark of seen) {
      if (mark.kind !== kind) continue;
      const isActive = active?.mark !== undefined && active.name === row.name && active.mark.at === mark.at;
      drawBar(context, scene, mark, y);
      const x = xOf(scene, mark.at);
      if (x - lastX < 2.5 && !isActive) continue;
      lastX = x;
      drawShape(context, kind, x, y, isActive ? SHAPE_SIZE * 1.4 : size);
    }
  }
}

function drawBar(context: CanvasRenderingContext2D, scene: Scene, mark: Mark, y: number): void {
  if (mark.begin === undefined) return;
  // A canvas draws coordinates far outside it inexactly, so they are limited.
  const inside = (x: number): number => Math.min(scene.width + SHAPE_SIZE, Math.max(-SHAPE_SIZE, x));
  const from = inside(xOf(scene, mark.begin));
  const length = inside(xOf(scene, barEnd(mark, scene.now))) - from;
  if (length < 1) return;
  context.globalAlpha = 0.35;
  context.beginPath();
  context.roundRect(from, y - 4, length, 8, 2);
  context.fill();
  context.globalAlpha = 1;
}

function drawShape(
  context: CanvasRenderingContext2D,
  kind: MarkKind,
  x: number,
  y: number,
  size: number,
): void {
  const path = PATHS.get(kind);
  if (!path) return;
  context.save();
  context.translate(x - size / 2, y - size / 2);
  context.scale(size / SHAPE_SIZE, size / SHAPE_SIZE);
  if (SHAPES[kind].isFilled) {
    context.fill(path, 'evenodd');
  } else {
    context.lineWidth = 2;
    context.stroke(path);
  }
  context.restore();
}
