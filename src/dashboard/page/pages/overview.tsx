import { useComputed, useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import {
  type JobRow,
  isIn,
  matches,
  type Order,
  sorted,
  type SortKey,
  type State,
  STATES,
} from '../model/job-row.js';
import { duration, percent, schedule } from '../model/words.js';
import { Badges } from '../parts/badges.js';
import { FilterInput } from '../parts/filter-input.js';
import { RecentMarks } from '../parts/recent-marks.js';
import { LABELS, Shape } from '../parts/shapes.js';
import { Due, Relative } from '../parts/time.js';
import { Unrecorded } from '../parts/unrecorded.js';
import { useVisibleRows } from '../parts/use-visible-rows.js';
import { jobUrl, overview, rowList } from '../state.js';

/** The height of each row, in pixels; `styles/job-table.css` has the same. */
const ROW_HEIGHT = 54;
const COLUMNS: readonly (readonly [title: string, key: SortKey | undefined, style: string])[] = [
  ['Job', 'name', 'job'],
  ['Last run', 'last', 'last'],
  ['Next', 'next', 'next'],
  ['Recent', undefined, 'recent-column'],
  ['Success', 'success', 'number success'],
  ['p95', 'p95', 'number p95'],
  ['Missed', 'missed', 'number missed-column'],
];
const STATE_NAMES = {
  all: 'All',
  running: 'Running',
  failing: 'Failing',
  late: 'Late',
  paused: 'Paused',
};

export function OverviewPage() {
  const filter = useSignal('');
  const state = useSignal<State>('all');
  const order = useSignal<Order>({ by: 'name', isDescending: false });
  const shown = useComputed(() => {
    const wanted = rowList.value.filter((row) => isIn(state.value, row) && matches(row, filter.value));
    return sorted(wanted, order.value);
  });
  return (
    <main>
      <h1 class="hidden">Jobs</h1>
      <div class="toolbar">
        <div class="choices" role="group" aria-label="Which jobs to show">
          {STATES.map((one) => (
            <button
              key={one}
              class={one}
              aria-pressed={state.value === one}
              onClick={() => (state.value = one)}
            >
              {STATE_NAMES[one]} <b>{rowList.value.filter((row) => isIn(one, row)).length}</b>
            </button>
          ))}
        </div>
        <FilterInput filter={filter} />
      </div>
      {shown.value.length > 0 ? (
        <JobTable
          rows={shown.value}
          order={order.value}
          onOrder={(by) => (order.value = turned(order.value, by))}
        />
      ) : (
        <Empty isFiltered={rowList.value.length > 0} />
      )}
    </main>
  );
}

const turned = (order: Order, by: SortKey): Order => ({
  by,
  isDescending: order.by === by ? !order.isDescending : by !== 'name' && by !== 'next' && by !== 'success',
});

function Empty({ isFiltered }: { isFiltered: boolean }) {
  if (!overview.value) return <p class="empty">Loading the jobs …</p>;
  if (isFiltered) return <p class="empty">No job matches.</p>;
  return (
    <p class="empty">
      No jobs yet. Put <code>@Exclusive('report')</code> on a <code>@Cron</code> method, and it appears here.
    </p>
  );
}

interface TableProps {
  readonly rows: readonly JobRow[];
  readonly order: Order;
  readonly onOrder: (by: SortKey) => void;
}

function JobTable({ rows, order, onOrder }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [first, end] = useVisibleRows(body, rows.length, ROW_HEIGHT);
  return (
    <table class="jobs" aria-rowcount={rows.length + 1}>
      <thead>
        <tr aria-rowindex={1}>
          {COLUMNS.map(([title, key, style]) => (
            <th key={title} class={style} scope="col" aria-sort={ariaSort(order, key)}>
              {key === undefined ? title : <button onClick={() => onOrder(key)}>{title}</button>}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        <Spacer rows={first} />
        {rows.slice(first, end).map((row, index) => (
          <JobTableRow key={row.name} row={row} index={first + index + 2} />
        ))}
        <Spacer rows={rows.length - end} />
      </tbody>
    </table>
  );
}

function ariaSort({ by, isDescending }: Order, key: SortKey | undefined) {
  if (by !== key) return undefined;
  return isDescending ? 'descending' : 'ascending';
}

/**
 * Stands for rows that are out of sight. It has no `colspan`: otherwise, the columns that a narrow page hides would
 * come back, empty.
 */
function Spacer({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="spacer" aria-hidden="true">
      <td style={{ height: `${rows * ROW_HEIGHT}px` }} />
    </tr>
  );
}

interface RowProps {
  readonly row: JobRow;
  /** Counted from 1, which is the head of the table. */
  readonly index: number;
}

/** While the table scrolls, only rows that come into sight are rendered. */
function JobTableRow(props: RowProps) {
  return useMemo(() => cellsOf(props), [props.row, props.index]);
}

function cellsOf({ row, index }: RowProps) {
  const { name, job, last, next, marks, statistics } = row;
  const { words, zone } = schedule(job.schedule);
  const { successRate, p95, missed } = statistics;
  return (
    <tr aria-rowindex={index} class={job.status ? '' : 'unread'}>
      <th scope="row" class="job">
        <span class="line">
          <a href={jobUrl(name)}>{name}</a>
        </span>
        <small class="line">
          <Badges row={row} />
          <span class="schedule">
            {words}
            {zone && ` · ${zone}`}
          </span>
        </small>
      </th>
      <td class="last">
        {last ? (
          <>
            <span class="line">
              <Shape kind={last.kind} isNamed />
              <Relative at={last.begin} />
            </span>
            <small class="line" title={last.error ?? undefined}>
              {last.end === undefined ? LABELS[last.kind] : duration(last.end - last.begin)}
              {' · '}
              {last.instance}
            </small>
          </>
        ) : (
          <span class="muted">
            <Unrecorded row={row} />
          </span>
        )}
      </td>
      <td class="next">
        {next === null ? (
          <span class="muted">–</span>
        ) : job.status?.paused ? (
          <s>
            <Due at={next} />
          </s>
        ) : (
          <Due at={next} />
        )}
      </td>
      <td class="recent-column">
        <RecentMarks marks={marks} />
      </td>
      <td class={`number success ${successRate !== null && successRate < 0.95 ? 'bad' : ''}`}>
        {successRate === null ? '–' : percent(successRate)}
      </td>
      <td class="number p95">{p95 === null ? '–' : duration(p95)}</td>
      <td class={`number missed-column ${missed > 0 ? 'bad' : 'muted'}`}>{missed}</td>
    </tr>
  );
}
