import { CronTime } from 'cron';
import { vi } from 'vitest';
import type { CronTicks } from '../../src/schedule/cron-ticks.js';

/** A zone by its name, or an offset from UTC in minutes. */
export type Zone = string | number;

/** As many questions as a search for one tick can need; beyond, it goes round in circles, and would hang the test. */
const QUESTIONS_AT_MOST = 2000;

/** A `CronTime` that counts the questions it is asked, and refuses to be asked without end. */
export class PatientCronTime extends CronTime {
  questions = 0;

  override getNextDateFrom(...question: Parameters<CronTime['getNextDateFrom']>) {
    if (++this.questions > QUESTIONS_AT_MOST) throw new Error('CronTime is asked again and again');
    return super.getNextDateFrom(...question);
  }
}

export function cronTime(source: ConstructorParameters<typeof CronTime>[0], zone: Zone): PatientCronTime {
  return typeof zone === 'number'
    ? new PatientCronTime(source, null, zone)
    : new PatientCronTime(source, zone);
}

/** More steps than any preparation needs. */
const STEPS_AT_MOST = 6;

/** Prepares all that can be prepared at `now`. */
export function prepareAll(ticks: CronTicks, now: number): void {
  for (let steps = 1; ticks.prepare(now); steps++) {
    if (steps > STEPS_AT_MOST) throw new Error('the preparation does not end');
  }
}

/** How late the timers of this simulation fire, in milliseconds. */
export const LATENESS = 3;

/**
 * The scheduled times at which `cron` fires from `start` on. At each firing, and a few milliseconds late, a `CronJob`
 * asks `sendAt` for the next one; so does this, on the clock that vitest fakes.
 */
export function firingsOf(cron: CronTime, start: number, count: number): number[] {
  const firings: number[] = [];
  let now = start;
  while (firings.length < count) {
    vi.setSystemTime(now);
    const at = cron.sendAt().toMillis();
    firings.push(at);
    now = at + LATENESS;
  }
  return firings;
}
