import type { ResolvedJobOptions } from '../options/options.js';
import type { CronTicks } from '../schedule/cron-ticks.js';

/**
 * What is put on record about the schedule that a tick belongs to. If it is the same in the next run, a tick in between
 * without a record was missed. With another expression, there may have been no such tick. With other options, an
 * instance may have left it out (`every`), may still run it (`overlap: 'allow'`), or may have run it without a quorum.
 */
export function recordedSchedule(
  { fingerprint }: CronTicks,
  { every, overlap, onStoreDown }: ResolvedJobOptions,
): string {
  const options = [
    ...(every === undefined ? [] : [`every ${every}`]),
    ...(overlap === 'allow' ? ['overlap'] : []),
    ...(onStoreDown === 'run' ? ['unguarded'] : []),
  ];
  return [fingerprint, ...options].join(' ');
}
