import type { CronJob, CronTime } from 'cron';
import type { SharedTicks } from './shared-ticks.js';

/**
 * Since when the cron jobs of decorated methods have had their present times, by their names in the registry: `setTime`
 * changes the times, and an application may replace a cron job by another one of that name.
 */
export class CronJobTimes {
  private readonly known = new Map<string, { readonly cronTime: CronTime; readonly since: number }>();

  constructor(private readonly ticks: SharedTicks) {}

  /**
   * Notes the present times of a cron job.
   *
   * @param isDecorated Whether the scheduler created it for a decorated method. Any other cron job is noted only if it
   * replaces one that was created for a decorated method.
   */
  note(name: string, { cronTime }: Pick<CronJob, 'cronTime'>, now: number, isDecorated = false): void {
    const known = this.known.get(name);
    if (!known && !isDecorated) return;
    const isChanged = known && this.fingerprintOf(known.cronTime) !== this.fingerprintOf(cronTime);
    this.known.set(name, { cronTime, since: isChanged ? now : this.since(name) });
  }

  /** In milliseconds since the epoch; `-Infinity` if the times have never changed. */
  since(name: string): number {
    return this.known.get(name)?.since ?? Number.NEGATIVE_INFINITY;
  }

  private fingerprintOf(cronTime: CronTime): string {
    return this.ticks.of(cronTime).fingerprint;
  }
}
