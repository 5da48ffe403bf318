import { Injectable } from '@nestjs/common';
import type { CronFiring, Firing } from '../schedule/firing.js';
import type { KnownJob } from './known-jobs.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** A firing that has called jobs. */
interface CallingFiring {
  readonly firing: CronFiring;
  /** The groups of the jobs that it has called. */
  readonly groups: Set<string>;
  /** The name of the job that it has called last. */
  last: string;
}

/** Whether the scheduler of this instance still calls a job. A job that nothing calls any more is not overdue. */
@Injectable()
export class JobCallers {
  /**
   * The firings that are remembered for each cron job: those with pending calls, and, for each group, the newest one
   * that was not cut short.
   */
  private readonly firings = new WeakMap<object, readonly CallingFiring[]>();

  constructor(private readonly scheduler: SchedulerFirings) {}

  /**
   * A firing has called a job.
   *
   * @param group The pattern of the job, or `'run()'`: the job is left out if a later firing calls only other jobs of
   * this group. `undefined` for a decorated method with a fixed name.
   */
  called(job: KnownJob, firing: CronFiring, group: string | undefined): void {
    const { source, firedAt } = firing;
    // The source of a firing that `JobRunner.runUncalled` begins is no cron job.
    if (!job.source || 'cronTime' in source) job.source = source;
    if (group === undefined) return;
    // The callback of an earlier firing may still be calling jobs.
    if (!job.calledIn || firedAt >= job.calledIn.firing.firedAt) job.calledIn = { firing, group };
    // A takeover calls the jobs of one run only, so it proves nothing about others.
    if (firing.isTakeover) return;
    const known = this.firings.get(source) ?? [];
    const calling = known.find((each) => each.firing === firing);
    if (calling) {
      calling.groups.add(group);
      calling.last = job.name;
      return;
    }
    const current = { firing, groups: new Set([group]), last: job.name };
    this.firings.set(source, [...withoutOutdated(known), current]);
  }

  /**
   * Whether a firing comes from a cron job other than the one that the decorator of this job has made, while that one
   * is started.
   */
  isOutsider({ schedule, declaredSource }: KnownJob, firing: Firing | undefined): boolean {
    if (firing?.kind !== 'cron' || !declaredSource || firing.ticks === schedule) return false;
    // With several imports of the module, each has objects of its own for one schedule.
    if (typeof schedule !== 'number' && firing.ticks.fingerprint === schedule.fingerprint) return false;
    const { scheduler } = this;
    return scheduler.isRunning(declaredSource) && !scheduler.areOfOneMethod(declaredSource, firing.source);
  }

  /** Whether the source of the job is stopped, or now has another schedule. */
  isStopped({ source, schedule }: KnownJob): boolean {
    return source !== undefined && !this.scheduler.follows(source, schedule);
  }

  /**
   * Whether the cron job that called this job has fired again, and has called other jobs of the group, but not this
   * one, as when a tenant has left. A firing that calls no job of the group proves nothing: perhaps it failed before,
   * or it calls the jobs of the group inside a run that another instance has won.
   */
  isLeftOut({ calledIn }: KnownJob): boolean {
    if (!calledIn) return false;
    const { firing, group } = calledIn;
    const known = this.firings.get(firing.source) ?? [];
    return known.some(
      (each) => each.firing.firedAt > firing.firedAt && each.groups.has(group) && hasCalledAll(each),
    );
  }
}

function withoutOutdated(known: readonly CallingFiring[]): CallingFiring[] {
  const covered = new Set<string>();
  const isCurrent = (each: CallingFiring): boolean => {
    if (each.firing.calls.arePending) return true;
    if (!hasCalledAll(each)) return false;
    const { size } = covered;
    for (const group of each.groups) covered.add(group);
    return covered.size > size;
  };
  return known.toReversed().filter(isCurrent).toReversed();
}

/** Whether a firing is over, and was not ended early by the error of the job that it has called last. */
function hasCalledAll({ firing, last }: CallingFiring): boolean {
  return !firing.calls.arePending && !firing.failed.has(last);
}
