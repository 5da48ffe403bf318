import type { JobRow } from '../model/job-row.js';
import { absolute, duration } from '../model/words.js';
import { now } from '../state.js';

/** What an operator should see at a glance about a job. */
export function Badges({ row: { job } }: { row: JobRow }) {
  const { running, paused, overdueBy } = job.status ?? {};
  return (
    <span class="badges">
      {running && (
        <span
          class="badge running"
          title={`On ${running.instanceId}, since ${absolute(Date.parse(running.startedAt))}`}
        >
          running {duration(Math.max(0, now.value - Date.parse(running.startedAt)))}
        </span>
      )}
      {paused && (
        <span class="badge paused" title={paused.note ?? undefined}>
          paused
        </span>
      )}
      {overdueBy ? <span class="badge bad">late by {duration(overdueBy)}</span> : null}
      {job.isPattern && <span class="badge">pattern</span>}
    </span>
  );
}
