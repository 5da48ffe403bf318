// A job as the pages show it: what the server sent, with all that follows from it.
import { type Job, type Mark, marksOf } from './marks.js';
import { type Statistics, statisticsOf } from './statistics.js';

type Run = Mark & { readonly begin: number };

export interface JobRow {
  readonly name: string;
  readonly job: Job;
  readonly readAt: number;
  readonly marks: readonly Mark[];
  readonly statistics: Statistics;
  /** Of the runs that have ended, the one that began last. */
  readonly last: Run | undefined;
  readonly next: number | null;
}

/** What the filters of the overview offer. */
export const STATES = ['all', 'running', 'failing', 'late', 'paused'] as const;
export type State = (typeof STATES)[number];

export function rowOf(job: Job, readAt: number): JobRow {
  const marks = marksOf(job, readAt);
  return {
    name: job.name,
    job,
    readAt,
    marks,
    statistics: statisticsOf(marks),
    last: lastOf(marks),
    next: job.status?.nextTick ? Date.parse(job.status.nextTick) : null,
  };
}

function lastOf(marks: readonly Mark[]): Run | undefined {
  let last: Run | undefined;
  for (const mark of marks) {
    const { begin, kind } = mark;
    if (begin !== undefined && kind !== 'running' && begin >= (last?.begin ?? begin))
      last = { ...mark, begin };
  }
  return last;
}

/** When the last run was due, if that is known although no run is on record; `'never'` if there has been none. */
export function unrecordedRun({ job: { status, options } }: JobRow): number | 'never' | undefined {
  if (!status) return undefined;
  if (status.lastTick) return Date.parse(status.lastTick);
  return options?.history === 0 ? undefined : 'never';
}

export function isIn(state: State, { job: { status }, last }: JobRow): boolean {
  switch (state) {
    case 'all':
      return true;
    case 'running':
      return Boolean(status?.running);
    case 'failing':
      return last !== undefined && last.kind !== 'ran';
    case 'late':
      return Boolean(status?.overdueBy);
    case 'paused':
      return Boolean(status?.paused);
  }
}

/** What the overview can be sorted by. Rows without a value come last, in either direction. */
const SORT_KEYS = {
  name: ({ name }: JobRow) => name.toLowerCase(),
  last: ({ last }: JobRow) => last?.begin ?? null,
  next: ({ next }: JobRow) => next,
  success: ({ statistics }: JobRow) => statistics.successRate,
  p95: ({ statistics }: JobRow) => statistics.p95,
  missed: ({ statistics }: JobRow) => statistics.missed,
} satisfies Record<string, (row: JobRow) => string | number | null>;
export type SortKey = keyof typeof SORT_KEYS;

export interface Order {
  readonly by: SortKey;
  readonly isDescending: boolean;
}

export function sorted(rows: readonly JobRow[], { by, isDescending }: Order): JobRow[] {
  const keyOf: (row: JobRow) => string | number | null = SORT_KEYS[by];
  const sign = isDescending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [one, other] = [keyOf(a), keyOf(b)];
    if (one === other) return a.name < b.name ? -1 : 1;
    if (one === null) return 1;
    if (other === null) return -1;
    return one < other ? -sign : sign;
  });
}

/** Whether a row contains all words of the filter in its name, schedule or time zone. */
export function matches(row: JobRow, filter: string): boolean {
  const { name, job } = row;
  const where = `${name} ${JSON.stringify(job.schedule)}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => where.includes(word));
}
