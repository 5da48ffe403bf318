import { DAY, HOUR, MINUTE, SECOND } from './units.js';

/** The distances that labels can have. */
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY),
];

/** The part of time that is shown. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The shortest and the longest span, in milliseconds. */
export const SHORTEST = MINUTE;
export const LONGEST = 31 * DAY;

/** The spans that the timeline offers, in milliseconds. */
export const RANGES = [
  ['1 min', MINUTE],
  ['10 min', 10 * MINUTE],
  ['1 h', HOUR],
  ['6 h', 6 * HOUR],
  ['1 day', DAY],
  ['1 week', 7 * DAY],
  ['1 month', LONGEST],
] as const;

/** How much to show at first, in milliseconds: an hour, or less if the oldest run is younger. */
export function firstLength(oldest: number | undefined, now: number): number {
  const age = oldest === undefined ? Infinity : now - oldest;
  // A tenth is in the future.
  const shorter = RANGES.find(([, length]) => length < HOUR && age < 0.9 * length);
  return shorter?.[1] ?? HOUR;
}

interface AxisTick {
  readonly at: number;
  readonly label: string;
  /** Whether a day begins here. */
  readonly isDay: boolean;
}

/** Local times at round values, no closer together than `room` pixels; the span is `width` pixels wide. */
export function axisTicks({ from, to }: Span, width: number, room = 90): AxisTick[] {
  const closest = ((to - from) * room) / Math.max(width, 1);
  const step = STEPS.find((one) => one >= closest) ?? 28 * DAY;
  // Day by day, because a day does not always have 24 hours.
  return daysOf({ from, to }).flatMap(([begin, end]) => {
    if (step >= DAY) {
      return Math.round(begin / DAY) % (step / DAY) === 0 && begin >= from ? [labelled(begin, true)] : [];
    }
    const first = begin + Math.max(0, Math.ceil((from - begin) / step)) * step;
    const count = Math.max(0, Math.ceil((Math.min(end, to + 1) - first) / step));
    return Array.from({ length: count }, (_one, index) => first + index * step).map((at) =>
      labelled(at, at === begin, step),
    );
  });
}

/** The local days that a span touches. */
function daysOf({ from, to }: Span): (readonly [begin: number, end: number])[] {
  const midnight = (days: number): number => {
    const day = new Date(from);
    day.setHours(0, 0, 0, 0);
    return day.setDate(day.getDate() + days);
  };
  const count = Math.ceil((to - midnight(0)) / DAY) + 1;
  const days = Array.from(
    { length: count },
    (_one, index) => [midnight(index), midnight(index + 1)] as const,
  );
  return days.filter(([begin]) => begin <= to);
}

/** The span zoomed by `factor` (above 1 shows more time), with `center` staying where it was. */
export function zoomed({ from, to }: Span, factor: number, center = (from + to) / 2): Span {
  const length = Math.min(LONGEST, Math.max(SHORTEST, (to - from) * factor));
  const begin = center - ((center - from) / (to - from)) * length;
  return { from: begin, to: begin + length };
}

const DATE = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const SECONDS = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

function labelled(at: number, isDay: boolean, step = DAY): AxisTick {
  const format = step < MINUTE ? SECONDS : TIME;
  return { at, isDay, label: (isDay ? DATE : format).format(at) };
}
