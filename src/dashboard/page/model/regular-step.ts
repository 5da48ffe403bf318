import { DAY, HOUR, MINUTE, SECOND } from './units.js';

/** The fields of an expression that repeat within a day: how many values each has, and how far apart they are. */
const FIELDS = [
  [60, SECOND],
  [60, MINUTE],
  [24, HOUR],
] as const;

/**
 * The time from each tick of a cron expression to the next, in milliseconds, leaving aside changes to or from daylight
 * saving time; `undefined` if that time varies, as with office hours, or if it is not obvious whether it does.
 */
export function regularStep(expression: string): number | undefined {
  const given = expression.trim().split(/\s+/);
  const [second = '', minute = '', hour = '', ...days] = given.length === 5 ? ['0', ...given] : given;
  if (days.length !== 3 || days.some((field) => field !== '*' && field !== '?')) return undefined;
  const fields = [second, minute, hour];
  // Every field before `first` is one value; every field after it must mean all values.
  const first = fields.findIndex((field) => !/^\d+$/.test(field));
  if (first < 0) return DAY;
  const steps = FIELDS.map(([count], index) => every(fields[index] ?? '', count));
  if (steps.slice(first + 1).some((step) => step !== 1)) return undefined;
  const [count, unit] = FIELDS[first] ?? [0, 0];
  const step = steps[first];
  return step !== undefined && count % step === 0 ? step * unit : undefined;
}

/** The n of a field that means every n-th of its `count` values; `undefined` for any other field. */
function every(field: string, count: number): number | undefined {
  const [values, step = '1', ...more] = field.split('/');
  const isAll = values === '*' || values === `0-${count - 1}`;
  return isAll && /^[1-9]\d*$/.test(step) && more.length === 0 ? Number(step) : undefined;
}
