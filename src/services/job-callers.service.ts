import { Injectable } from '@nestjs/common';
import type { CronFiring } from '../schedule/firing.js';
import type { KnownJob } from './known-jobs.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** A firing that has called jobs. */
interface CallingFiring {
  readonly firing: CronFiring;
  /** The name of the job that it has called last. */
  last: string;
}

/** Whether the scheduler of this instance still calls a job. A job that nothing calls any more is not overdue. */
@Injectable()
export class JobCallers {
  /** The firings of each cron job: the newest one that has called all its jobs, and those that may still call some. */
  private readonly firings = new WeakMap<object, readonly CallingFiring[]>();

  constructor(private readonly scheduler: SchedulerFirings) {}

  /** A firing has called a job. */
  called(job: KnownJob, firing: CronFiring): void {
    const { source, firedAt } = firing;
    // A takeover or a catch-up is a firing without a cron job.
    if (!job.source || 'cronTime' in source) job.source = source;
    // The callback of an earlier firing may still be calling jobs.
    if (!job.firing || firedAt >= job.firing.firedAt) job.firing = firing;
    const known = this.firings.get(source) ?? [];
    const calling = known.find((each) => each.firing === firing);
    if (calling) {
      calling.last = job.name;
      return;
    }
    const newest = known.findLastIndex(hasCalledAll);
    const kept = known.filter(
      (each, index) => index === newest || (index > newest && each.firing.calls.arePending),
    );
    this.firings.set(source, [...kept, { firing, last: job.name }]);
  }

  /** Whether it was stopped, for good or for a while, or follows another schedule by now. */
  isStopped({ source, schedule }: KnownJob): boolean {
    return source !== undefined && !this.scheduler.follows(source, schedule);
  }

  /**
   * Whether the cron job that called it has fired again, and has called other jobs, but not this one, as when a tenant
   * has left. A firing that calls none proves nothing: it may have failed before.
   */
  isLeftOut({ firing }: KnownJob): boolean {
    if (!firing) return false;
    const known = this.firings.get(firing.source) ?? [];
    return known.some((each) => each.firing.firedAt > firing.firedAt && hasCalledAll(each));
  }
}

/** Whether a firing is over, and was not ended early by the error of the job that it has called last. */
function hasCalledAll({ firing, last }: CallingFiring): boolean {
  return !firing.calls.arePending && !firing.failed.has(last);
}
