import { useComputed, useSignal } from '@preact/signals';
import { type JobRow, matches, sorted } from '../model/job-row.js';
import { firstLength } from '../model/time-axis.js';
import { FilterInput } from '../parts/filter-input.js';
import { Legend } from '../parts/shapes.js';
import { Timeline } from '../parts/timeline.js';
import { now, overview, rowList } from '../state.js';

/** The part of the timeline that is in the future, at first. */
const AHEAD = 0.1;

export function TimelinePage() {
  const filter = useSignal('');
  const rows = useComputed(() =>
    sorted(
      rowList.value.filter((row) => matches(row, filter.value)),
      { by: 'name', isDescending: false },
    ),
  );
  return (
    <main class="timeline-page">
      <h1 class="hidden">Timeline</h1>
      <div class="toolbar">
        <Legend />
        <FilterInput filter={filter} />
      </div>
      {rows.value.length > 0 ? (
        <Timeline
          rows={rows.value}
          initial={{ length: firstLength(oldestOf(rows.value), now.peek()), ahead: AHEAD }}
          isNamed
        />
      ) : (
        <p class="empty">{overview.value ? 'No job matches.' : 'Loading the jobs …'}</p>
      )}
    </main>
  );
}

/** When the oldest run that is known was due; `undefined` without any. */
function oldestOf(rows: readonly JobRow[]): number | undefined {
  const oldest = Math.min(
    ...rows.map(({ marks }) => marks.find(({ begin }) => begin !== undefined)?.at ?? Infinity),
  );
  return Number.isFinite(oldest) ? oldest : undefined;
}
