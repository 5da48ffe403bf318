import { InvalidOptionError } from '../errors.js';
import type { ResolvedJobOptions } from '../options/options.js';
import type { Schedule } from '../schedule/schedule-of.js';
import { checkSpread } from './spread.js';

/** Throws `InvalidOptionError` if a job has an option that its schedule does not allow. */
export function checkForSchedule(where: string, options: ResolvedJobOptions, schedule: Schedule): void {
  checkSpread(where, options, schedule);
  const { recover, missed } = options;
  const hasNoTicks = schedule.kind === 'interval' || schedule.kind === 'timeout';
  if (!hasNoTicks || (!recover && missed === undefined)) return;
  throw new InvalidOptionError(
    where,
    recover ? 'recover' : 'missed',
    `has no effect on an @${schedule.kind === 'interval' ? 'Interval' : 'Timeout'} method, which has no ticks`,
  );
}
