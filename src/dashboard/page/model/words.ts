// How times, durations and schedules are put into words.
import cronstrue from 'cronstrue';
import type { ScheduleInfo } from '../../redlock-data.js';
import { DAY, HOUR, MINUTE, SECOND } from './units.js';

/** Between a number and its unit: a space at which no line breaks. */
const NEXT_TO = '\u00A0';
/** Up to this distance, a countdown shows seconds. */
const SOON = 10 * MINUTE;

/** A duration in at most two units: `340 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)}${NEXT_TO}ms`;
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)}${NEXT_TO}s`;
  return inUnits(ms);
}

/** A duration without fractions: how far away a time is, and any duration from ten seconds on. */
function inUnits(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}${NEXT_TO}s`;
  if (ms < HOUR) return twoUnits(ms, MINUTE, 'min', SECOND, 's');
  if (ms < DAY) return twoUnits(ms, HOUR, 'h', MINUTE, 'min');
  return twoUnits(ms, DAY, 'd', HOUR, 'h');
}

function twoUnits(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${NEXT_TO}${largeName}${rest === 0 ? '' : ` ${rest}${NEXT_TO}${smallName}`}`;
}

/** A duration in its largest unit. */
const coarse = (ms: number): string => inUnits(ms).split(' ', 1).join();

/** `5 s ago`, `in 3 min 20 s`, `now`. */
export function relative(at: number, now: number): string {
  const distance = at - now;
  if (Math.abs(distance) < SECOND) return 'now';
  // A countdown shows the seconds that are left; what is far away is less exact.
  if (distance > 0) return `in ${distance > SOON && distance < HOUR ? coarse(distance) : inUnits(distance)}`;
  return `${coarse(-distance)} ago`;
}

/** When a tick is due. The page may learn a moment late that the tick has come. */
export const due = (at: number, now: number): string => relative(Math.max(at, now), now);

const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });

/** A time with its date and its time zone. */
export const absolute = (at: number): string => ABSOLUTE.format(at);

const TO_THE_SECOND: Intl.DateTimeFormatOptions = {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hourCycle: 'h23',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
};

const SHORT = new Intl.DateTimeFormat(undefined, TO_THE_SECOND);

/** A time for a column of times. */
export const short = (at: number): string => SHORT.format(at);

/** The time zone of a schedule with `utcOffset`, which `Intl` does not know. */
const FIXED_ZONE = /^UTC([+-])(\d\d):(\d\d)$/;

/** A tick in the time zone of its schedule, with the difference from UTC, which daylight saving time changes. */
export function inZone(
  at: number,
  timeZone: string | null,
): { readonly time: string; readonly offset: string } {
  const [, sign, hours, minutes] = FIXED_ZONE.exec(timeZone ?? '') ?? [];
  if (timeZone !== null && sign !== undefined) {
    const ahead = (Number(hours) * 60 + Number(minutes)) * 60_000;
    return { time: inZone(at + (sign === '-' ? -ahead : ahead), 'UTC').time, offset: timeZone };
  }
  const parts = zoneFormat(timeZone).formatToParts(at);
  const offset = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const time = parts.map(({ type, value }) => (type === 'timeZoneName' ? '' : value)).join('');
  return { time: time.trim(), offset };
}

const zoneFormats = new Map<string | null, Intl.DateTimeFormat>();

function zoneFormat(timeZone: string | null): Intl.DateTimeFormat {
  const known = zoneFormats.get(timeZone);
  if (known) return known;
  const options: Intl.DateTimeFormatOptions = { ...TO_THE_SECOND, timeZoneName: 'shortOffset' };
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat(undefined, { ...options, ...(timeZone !== null && { timeZone }) });
  } catch {
    // The scheduler knows the zone, and this browser does not.
    format = new Intl.DateTimeFormat(undefined, options);
  }
  zoneFormats.set(timeZone, format);
  return format;
}

/** A schedule in words, and the time zone in which it applies. */
export function schedule(info: ScheduleInfo): { readonly words: string; readonly zone: string } {
  switch (info.kind) {
    case 'cron':
      return { words: cronInWords(info.expression), zone: info.timeZone ?? '' };
    case 'interval':
      return { words: `Every ${duration(info.every)}`, zone: '' };
    case 'timeout':
      return { words: 'Once, after the start', zone: '' };
    case 'none':
      return { words: 'No schedule', zone: '' };
  }
}

function cronInWords(expression: string): string {
  try {
    return cronstrue.toString(expression, { use24HourTimeFormat: true });
  } catch {
    return expression;
  }
}

/** A share as a percentage that says 100 only if nothing is missing. */
export function percent(share: number): string {
  const value = share * 100;
  return `${value === 100 || value === 0 ? value : Math.min(99.9, value).toFixed(1)} %`;
}
