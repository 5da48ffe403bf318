import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { listed, quoted } from '../display.js';
import { placeOf } from '../decorators/exclusive-method.js';
import { nameIfValid, nameOf, patternOf } from '../decorators/job-name.js';
import { InvalidOptionError } from '../errors.js';
import { CLOCK } from '../redlock.module-definition.js';
import type { DeclaredJobInfo, DeclaredJobOptions, JobSchedule } from '../records/job-status.js';
import type { RunOutcome } from '../runs/run-outcome.js';
import { intervalOf } from '../schedule/due-times.js';
import { fire } from '../schedule/firing.js';
import type { ResolvedJobOptions } from '../options/options.js';
import { spreadOf } from '../runs/spread.js';
import { periodOf, type Schedule, ticksOf } from '../schedule/schedule-of.js';
import { type DeclaredJob, ExclusiveJobs } from './exclusive-jobs.service.js';
import { JobCallers } from './job-callers.service.js';
import { type KnownJob, KnownJobs } from './known-jobs.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** The decorated methods of this instance, for those who look at them, or call them by the name of their job. */
@Injectable()
export class JobCatalog {
  private readonly logger = new Logger('RedlockModule');

  constructor(
    private readonly jobs: ExclusiveJobs,
    private readonly known: KnownJobs,
    private readonly firings: SchedulerFirings,
    private readonly callers: JobCallers,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** All decorated methods, as `redlock.jobs()` returns them. */
  list(): DeclaredJobInfo[] {
    return [...this.jobs.valid()].map(({ method, instance, options, schedule }) => {
      const declaredAs = placeOf(instance, method.key);
      const isPattern = typeof method.name === 'function';
      return {
        name: patternOf(method, instance) ?? nameOf(method, instance, []),
        isPattern,
        declaredAs,
        schedule: shownSchedule(schedule),
        options: shownOptions(options, schedule),
      };
    });
  }

  /**
   * Calls the method of a job, through all its decorators, whatever its schedule says.
   *
   * @param args The arguments of the call.
   * @throws InvalidOptionError if this instance does not declare the job, or has no single object to call it on, or if
   * a decorator above `@Exclusive` does not call it.
   */
  async trigger(name: string, args: readonly unknown[]): Promise<RunOutcome<unknown>> {
    let place: string | undefined;
    for (const { method, instance, isSingle } of this.jobs.all()) {
      if (nameIfValid(method, instance, args) !== name) continue;
      if (!isSingle) {
        place = placeOf(instance, method.key);
        continue;
      }
      const firing = this.firings.ofTrigger(method);
      const call = (): unknown =>
        Reflect.apply(Reflect.get(instance, method.key) as () => unknown, instance, args);
      const value = await fire(firing, call);
      if (firing.hasCalled) return firing.outcome ?? { ran: true, value };
      throw new InvalidOptionError(
        'trigger()',
        'name',
        'belongs to a job that was not called: a decorator above @Exclusive returned without calling it',
        { received: name },
      );
    }
    if (place !== undefined) {
      throw new InvalidOptionError(
        'trigger()',
        'name',
        `cannot be that of ${place}, whose object belongs to a request, or is created for each consumer: call the ` +
          'method on such an object',
        { received: name },
      );
    }
    const declared = listed(this.list().map((job) => job.name)) || 'no job';
    throw new InvalidOptionError(
      'trigger()',
      'name',
      `must be that of a job that this instance declares with @Exclusive (${declared}); if the name depends on arguments, ` +
        'pass them, too',
      { received: name },
    );
  }

  /**
   * Remembers the schedules that the scheduler of this instance follows, one per turn, because parsing each of them
   * takes time, and prepares their ticks. Warns of computed names that two of them share.
   */
  async noteSchedules(): Promise<void> {
    const scheduled = new Map<string, DeclaredJob>();
    const shared = new Set<string>();
    for (const job of this.jobs.declared()) {
      await this.clock.turn();
      if (!this.note(job) || !job.isOwn) continue;
      const other = scheduled.get(job.name);
      scheduled.set(job.name, job);
      if (other && !shared.has(job.name) && this.warnOfShared(job, other)) shared.add(job.name);
    }
  }

  /** Warns if two scheduled jobs share a computed name. `ReservedNames` has refused fixed names that are shared. */
  private warnOfShared({ name, pattern, instance }: DeclaredJob, other: DeclaredJob): boolean {
    const computed = pattern ?? other.pattern;
    // One object may have two tokens.
    if (computed === undefined || (instance === other.instance && pattern === other.pattern)) return false;
    this.logger.warn(
      `The name function of ${computed} returns ${quoted(name)}, which another scheduled job has, too, so the two take ` +
        "each other's ticks: return a name that no other job has",
    );
    return true;
  }

  /**
   * Remembers the schedule of a job, if the scheduler of this instance follows it, and prepares its ticks. Returns
   * whether it does.
   */
  note(job: DeclaredJob): boolean {
    const { options, schedule } = job;
    const source = this.firings.sourceOf(schedule);
    if (!source || (schedule.kind !== 'cron' && schedule.kind !== 'interval')) return false;
    const known = this.known.declare(
      job,
      schedule.kind === 'cron' ? schedule.ticks : intervalOf(schedule.every, options.every),
    );
    known.source = source;
    known.declaredSource = source;
    if (schedule.kind === 'cron') schedule.ticks.prepareSoon(this.clock);
    return true;
  }

  /** The job of that name, if this instance follows its schedule. */
  find(name: string): KnownJob | undefined {
    const known = this.followed(name);
    if (known) return known;
    for (const job of this.jobs.declared()) if (job.name === name) this.note(job);
    return this.followed(name);
  }

  private followed(name: string): KnownJob | undefined {
    const job = this.known.get(name);
    return job && !this.callers.isStopped(job) ? job : undefined;
  }
}

function shownOptions(options: ResolvedJobOptions, schedule: Schedule): DeclaredJobOptions {
  const { ttl, every, overlap, maxRuntime, recover, onStoreDown, missed, history, overdueAfter } = options;
  const spread = schedule.kind === 'none' ? undefined : spreadOf('', options, { period: periodOf(schedule) });
  return {
    ttl,
    every: every ?? null,
    overlap,
    maxRuntime: maxRuntime ?? null,
    recover,
    onStoreDown,
    missed: shownMissed(missed),
    spread: spread ?? null,
    history,
    overdueAfter: overdueAfter ?? null,
  };
}

function shownMissed(window = 0): DeclaredJobOptions['missed'] {
  if (window === 0) return 'skip';
  return window === Number.POSITIVE_INFINITY ? 'once' : window;
}

function shownSchedule(schedule: Schedule): JobSchedule {
  if (schedule.kind === 'cron') {
    const ticks = ticksOf(schedule);
    if (!ticks) return { kind: 'none' };
    const { expression, timeZone } = ticks;
    return { kind: 'cron', expression, timeZone };
  }
  return schedule.kind === 'interval' ? { kind: 'interval', every: schedule.every } : { kind: schedule.kind };
}
