import type { Mark } from '../model/marks.js';
import { Shape } from './shapes.js';

const RECENT = 14;

/** What became of the newest ticks and calls, oldest first. */
export function RecentMarks({ marks }: { marks: readonly Mark[] }) {
  const recent = marks.filter(({ kind }) => kind !== 'due').slice(-RECENT);
  if (recent.length === 0) return <span class="muted">–</span>;
  const bad = recent.filter(({ kind }) => kind !== 'ran' && kind !== 'running').length;
  return (
    <span
      class="recent"
      role="img"
      aria-label={`${bad} of the last ${recent.length} ticks and calls did not succeed`}
    >
      {recent.map(({ kind, at, runId }) => (
        <Shape key={runId ?? at} kind={kind} />
      ))}
    </span>
  );
}
