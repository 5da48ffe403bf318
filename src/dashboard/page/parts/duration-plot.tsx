import { useRef } from 'preact/hooks';
import { type Mark } from '../model/marks.js';
import { absolute, duration } from '../model/words.js';
import { LABELS, SHAPES } from './shapes.js';
import { useWidth } from './use-width.js';

/** In pixels. */
const SIZE = { height: 170, left: 76, right: 16, top: 16, bottom: 16 };

/** How long the runs took, oldest first: one shape for each run, evenly spaced. */
export function DurationPlot({ marks, p95 }: { marks: readonly Mark[]; p95: number | null }) {
  const runs = marks.flatMap((mark) =>
    mark.begin === undefined || mark.end === undefined ? [] : [{ mark, length: mark.end - mark.begin }],
  );
  if (runs.length < 2) return <p class="empty">Durations appear here once two runs have ended.</p>;
  return <Plot runs={runs} p95={p95} />;
}

interface EndedRun {
  readonly mark: Mark;
  readonly length: number;
}

function Plot({ runs, p95 }: { runs: readonly EndedRun[]; p95: number | null }) {
  const figure = useRef<HTMLElement>(null);
  const width = useWidth(figure);
  const most = niceCeiling(Math.max(...runs.map(({ length }) => length), 1));
  const x = (index: number): number =>
    SIZE.left + ((index + 0.5) / runs.length) * (width - SIZE.left - SIZE.right);
  const y = (length: number): number =>
    SIZE.height - SIZE.bottom - (length / most) * (SIZE.height - SIZE.top - SIZE.bottom);
  const lines = [0, most / 2, most];
  return (
    <figure ref={figure} class="plot">
      <svg
        width={width}
        height={SIZE.height}
        role="img"
        aria-label={`Durations of ${runs.length} runs; 95 % took at most ${duration(p95 ?? 0)}`}
      >
        {lines.map((value) => (
          <g key={value}>
            <line class="grid" x1={SIZE.left} x2={width - SIZE.right} y1={y(value)} y2={y(value)} />
            <text x={SIZE.left - 8} y={y(value) + 4} text-anchor="end">
              {value === 0 ? '0' : duration(value)}
            </text>
          </g>
        ))}
        {p95 !== null && (
          <g class="p95-line">
            <line x1={SIZE.left} x2={width - SIZE.right} y1={y(p95)} y2={y(p95)} />
            <text x={width - SIZE.right} y={y(p95) - 4} text-anchor="end">
              p95
            </text>
          </g>
        )}
        {runs.map(({ mark, length }, index) => (
          <g
            key={mark.runId}
            class={mark.kind}
            transform={`translate(${x(index) - 5} ${y(length) - 5}) scale(.83)`}
          >
            <title>{`${absolute(mark.at)}: ${LABELS[mark.kind].toLowerCase()}, ${duration(length)}, on ${mark.instance}`}</title>
            <path class="filled" fill-rule="evenodd" d={SHAPES[mark.kind].path} />
          </g>
        ))}
      </svg>
    </figure>
  );
}

/** Rounds up to a round number of hours, minutes, seconds or milliseconds. */
function niceCeiling(ms: number): number {
  const unit = ms >= 3_600_000 ? 3_600_000 : ms >= 60_000 ? 60_000 : ms >= 1000 ? 1000 : 1;
  const value = ms / unit;
  const power = 10 ** Math.floor(Math.log10(value));
  return unit * power * ([1, 2, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10);
}
