import type { CronTime } from 'cron';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAYS_OF_SHORTEST_MONTH = 28;

/** The ticks in one unit of time, such as a minute: the first and the last one, and the shortest time between two. */
interface Ticks {
  readonly first: number;
  readonly last: number;
  readonly gap: number;
}

/**
 * A lower bound of the time between two ticks of a schedule, in milliseconds; infinity for a date. It follows from the
 * fields of the expression, because a search for ticks would take milliseconds and could miss the shortest time. The
 * month field is ignored, and every month counts as 28 days: no two ticks are nearer, except around the rare hours in
 * which daylight saving time begins or ends.
 */
export function shortestPeriod(cron: CronTime): number {
  if (cron.realDate) return Number.POSITIVE_INFINITY;
  const [second = '*', minute = '*', hour = '*', dayOfMonth = '*', , dayOfWeek = '*'] = cron.toJSON();
  const inSecond: Ticks = { first: 0, last: 0, gap: Number.POSITIVE_INFINITY };
  const inMinute = ticksAt(valuesOf(second, 60), SECOND, inSecond);
  const inHour = ticksAt(valuesOf(minute, 60), MINUTE, inMinute);
  const inDay = ticksAt(valuesOf(hour, 24), HOUR, inHour);
  return Math.min(inDay.gap, daysApart(dayOfMonth, dayOfWeek) * DAY + inDay.first - inDay.last);
}

/** The ticks in one unit, such as an hour: those of the next smaller unit, `inner`, at each of the `values`. */
function ticksAt(values: readonly number[], length: number, inner: Ticks): Ticks {
  const [first = 0] = values;
  const last = values.at(-1) ?? first;
  const between = shortestStepOf(values) * length + inner.first - inner.last;
  return {
    first: first * length + inner.first,
    last: last * length + inner.last,
    gap: Math.min(inner.gap, between),
  };
}

/** The least number of days between two days of a schedule. */
function daysApart(dayOfMonth: string, dayOfWeek: string): number {
  // If both are restricted, a day matches if either does, so two such days can be adjacent.
  if ((dayOfMonth === '*') === (dayOfWeek === '*')) return 1;
  const isWeekly = dayOfMonth === '*';
  const days = valuesOf(isWeekly ? dayOfWeek : dayOfMonth, 7);
  const [first = 0] = days;
  const cycle = isWeekly ? 7 : DAYS_OF_SHORTEST_MONTH;
  return Math.max(1, shortestStepOf([...days, first + cycle]));
}

/** The shortest step from one value to the next. */
function shortestStepOf(values: readonly number[]): number {
  const steps = values.slice(1).map((value, index) => value - (values[index] ?? 0));
  return Math.min(Number.POSITIVE_INFINITY, ...steps);
}

/** The values of a field, in ascending order. @param size How many values `*` means, from 0 on. */
function valuesOf(field: string, size: number): number[] {
  if (field === '*') return Array.from({ length: size }, (_none, value) => value);
  return field
    .split(',')
    .map(Number)
    .toSorted((a, b) => a - b);
}
