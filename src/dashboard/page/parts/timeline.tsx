import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { JobRow } from '../model/job-row.js';
import { RANGES, type Span, zoomed } from '../model/time-axis.js';
import { jobUrl, now } from '../state.js';
import { factsOf, MarkDetails } from './mark-details.js';
import { LABELS } from './shapes.js';
import { AXIS_HEIGHT, draw, type Scene, timeAt, TRACK_HEIGHT, xOf } from './timeline-drawing.js';
import { type Active, stepped } from '../model/arrow-keys.js';
import { activeAt } from './timeline-pointing.js';

/** Room for the tooltip above or below any row, in pixels; `styles/timeline.css` has the same. */
const LEAST_HEIGHT = 280;

/** How much is shown at first, in milliseconds, and which part of it is in the future. */
interface Initial {
  readonly length: number;
  readonly ahead: number;
}

interface TimelineProps {
  readonly rows: readonly JobRow[];
  readonly initial: Initial;
  /** Whether the names of the jobs stand to the left of their rows. */
  readonly isNamed: boolean;
}

export function Timeline({ rows, initial, isNamed }: TimelineProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  /** Where a drag began, and what was shown then. */
  const drag = useRef<{ readonly x: number; readonly span: Span }>(undefined);
  const length = useSignal(initial.length);
  /** The end of what is shown; `undefined`: it moves with the time. */
  const end = useSignal<number | undefined>(undefined);
  const active = useSignal<Active | undefined>(undefined);
  const place = useSignal({ width: 800, height: 300, left: 0, scrollTop: 0 });

  const spanNow = (): Span => {
    const to = end.value ?? now.value + length.value * initial.ahead;
    return { from: to - length.value, to };
  };
  const sceneNow = (): Scene => ({
    ...place.value,
    rows,
    span: spanNow(),
    now: now.value,
    active: active.value,
  });
  const show = ({ from, to }: Span): void => {
    length.value = to - from;
    end.value = to;
  };
  /** Zooms around `center`, or, while the view follows the time, around the present. */
  const zoom = (factor: number, center?: number): void => {
    const wanted = zoomed(spanNow(), factor, center);
    if (end.value === undefined) length.value = wanted.to - wanted.from;
    else show(wanted);
  };
  const pan = ({ from, to }: Span, pixels: number): void => {
    const by = (pixels / (place.value.width - place.value.left)) * (to - from);
    show({ from: from + by, to: to + by });
  };

  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return undefined;
    const measure = (): void => {
      const { clientWidth: width, clientHeight, scrollTop } = current;
      const height = Math.min(clientHeight, AXIS_HEIGHT + rows.length * TRACK_HEIGHT);
      place.value = { width, height, left: isNamed ? (width < 640 ? 112 : 210) : 0, scrollTop };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(current);
    current.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      current.removeEventListener('scroll', measure);
    };
  }, [rows.length]);

  // Not passive, so that zooming does not scroll the page.
  useEffect(() => {
    const { current } = canvas;
    const onWheel = (event: WheelEvent): void => {
      const isPan = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (!isPan && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const scene = sceneNow();
      if (!isPan) return zoom(1.0015 ** event.deltaY, timeAt(scene, event.offsetX));
      return pan(scene.span, event.deltaX || event.deltaY);
    };
    current?.addEventListener('wheel', onWheel, { passive: false });
    return () => current?.removeEventListener('wheel', onWheel);
  });

  const redraw = (): void => {
    if (canvas.current) draw(canvas.current, sceneNow());
  };
  useSignalEffect(redraw);
  useLayoutEffect(redraw);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === '+' || event.key === '-') return zoom(event.key === '+' ? 0.5 : 2);
    if (event.key === 'Escape') return void (active.value = undefined);
    if (event.key === 'Enter' && active.value) return void (location.hash = jobUrl(active.value.name));
    if (!/^(Arrow|Home|End)/.test(event.key)) return undefined;
    event.preventDefault();
    active.value = stepped(rows, active.value, event.key);
    return reveal();
  };
  /** Moves what is shown to where a key has led. */
  const reveal = (): void => {
    const { mark, name } = active.value ?? {};
    const { from, to } = spanNow();
    if (mark && (mark.at < from || mark.at > to))
      show({ from: mark.at - (to - from) / 2, to: mark.at + (to - from) / 2 });
    const top = rows.findIndex((row) => row.name === name) * TRACK_HEIGHT;
    const { height, scrollTop } = place.value;
    if (top < scrollTop || top > scrollTop + height - AXIS_HEIGHT - TRACK_HEIGHT)
      box.current?.scrollTo({ top: top - height / 2 });
  };

  const onPointerMove = (event: PointerEvent): void => {
    if (!drag.current) return void (active.value = activeAt(sceneNow(), event.offsetX, event.offsetY));
    const { x, span } = drag.current;
    if (Math.abs(x - event.offsetX) > 3) pan(span, x - event.offsetX);
  };
  const onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    drag.current = { x: event.offsetX, span: spanNow() };
    canvas.current?.setPointerCapture(event.pointerId);
  };

  return (
    <div class="timeline">
      <Ranges
        length={length.value}
        isFollowing={end.value === undefined}
        onLength={(wanted) => zoom(wanted / length.value)}
        onFollow={() => (end.value = undefined)}
      />
      <div class={`tracks ${isNamed ? '' : 'single'}`} ref={box}>
        <div class="extent" style={{ height: `${AXIS_HEIGHT + rows.length * TRACK_HEIGHT}px` }}>
          {isNamed && (
            <div class="corner" style={{ width: `${place.value.left}px` }}>
              {Intl.DateTimeFormat().resolvedOptions().timeZone}
            </div>
          )}
          <canvas
            ref={canvas}
            style={{ width: `${place.value.width}px`, height: `${place.value.height}px` }}
            tabIndex={0}
            role="application"
            aria-label="Timeline of ticks. Arrow keys move from tick to tick and from job to job, plus and minus zoom, Enter opens the job."
            onKeyDown={onKeyDown}
            onFocus={() => (active.value ??= stepped(rows, undefined, 'End'))}
            onBlur={() => (active.value = undefined)}
            onPointerMove={onPointerMove}
            onPointerDown={onPointerDown}
            onLostPointerCapture={() => (drag.current = undefined)}
            onPointerLeave={() => (active.value = undefined)}
          />
          {isNamed && <Names rows={rows} place={place.value} active={active.value?.name} />}
          <Tooltip active={active.value} scene={sceneNow()} />
        </div>
      </div>
      <p class="hidden" aria-live="polite">
        {active.value && spoken(active.value)}
      </p>
    </div>
  );
}

function spoken({ name, mark }: Active): string {
  return mark ? `${name}: ${LABELS[mark.kind]}. ${factsOf(mark).join('. ')}` : `${name}: no tick`;
}

interface RangesProps {
  readonly length: number;
  readonly isFollowing: boolean;
  readonly onLength: (length: number) => void;
  readonly onFollow: () => void;
}

function Ranges({ length, isFollowing, onLength, onFollow }: RangesProps) {
  return (
    <div class="toolbar">
      <div class="choices" role="group" aria-label="How much time to show">
        {RANGES.map(([title, wanted]) => (
          <button key={title} aria-pressed={Math.abs(length - wanted) < 1} onClick={() => onLength(wanted)}>
            {title}
          </button>
        ))}
      </div>
      <button aria-pressed={isFollowing} onClick={onFollow}>
        Now
      </button>
      <small class="muted hint">Drag to move, Ctrl and wheel to zoom</small>
    </div>
  );
}

interface NamesProps {
  readonly rows: readonly JobRow[];
  readonly place: { readonly scrollTop: number; readonly height: number; readonly left: number };
  readonly active: string | undefined;
}

/** The names of the rows in sight. */
function Names({ rows, place: { scrollTop, height, left }, active }: NamesProps) {
  const first = Math.max(0, Math.floor(scrollTop / TRACK_HEIGHT) - 2);
  const end = Math.ceil((scrollTop + height) / TRACK_HEIGHT) + 2;
  return (
    <ul class="names" style={{ width: `${left}px` }}>
      {rows.slice(first, end).map(({ name }, index) => (
        <li
          key={name}
          style={{ top: `${(first + index) * TRACK_HEIGHT}px` }}
          class={name === active ? 'active' : ''}
        >
          <a href={jobUrl(name)} title={name}>
            {name}
          </a>
        </li>
      ))}
    </ul>
  );
}

function Tooltip({ active, scene }: { active: Active | undefined; scene: Scene }) {
  if (!active?.mark) return null;
  const index = scene.rows.findIndex(({ name }) => name === active.name);
  const x = Math.min(scene.width - 8, Math.max(scene.left, xOf(scene, active.mark.at)));
  const isRight = x > scene.width / 2;
  const y = AXIS_HEIGHT + (index + 1) * TRACK_HEIGHT;
  const isLow = y - scene.scrollTop > Math.max(scene.height, LEAST_HEIGHT) - LEAST_HEIGHT / 2;
  return (
    <div
      class={`tooltip ${isRight ? 'right' : ''} ${isLow ? 'low' : ''}`}
      style={{ left: `${x}px`, top: `${isLow ? y - TRACK_HEIGHT : y}px` }}
    >
      <MarkDetails name={active.name} mark={active.mark} />
    </div>
  );
}
