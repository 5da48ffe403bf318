import type { TestingModule } from '@nestjs/testing';
import { fire } from '../schedule/firing.js';
import type { CronTicks } from '../schedule/cron-ticks.js';
import type { Schedule } from '../schedule/schedule-of.js';
import { searchLimit } from '../schedule/tick-search.js';
import { InvalidOptionError } from '../errors.js';
import { type ExclusiveMethod, placeOf } from '../decorators/exclusive-method.js';
import { nameOf, patternOf } from '../decorators/job-name.js';
import { ExclusiveJobs } from '../services/exclusive-jobs.service.js';
import type { SkipReason } from '../runs/run-outcome.js';
import type { MissedEvent, RunEvent } from '../events/events.js';
import { LARGEST_HISTORY } from '../options/resolve-options.js';
import type { RunRecord } from '../records/run-record.js';
import { JobRecords } from '../services/job-records.service.js';
import { MissedTicks } from '../services/missed-ticks.service.js';
import { SchedulerFirings } from '../services/scheduler-firings.service.js';
import { RedlockEvents } from '../services/redlock-events.service.js';
import { everyOf } from './every-of.js';
import { WatchedCall } from './watched-call.js';

/** The result of one firing on one instance. */
export interface FiredRun {
  /** The index of the instance in the fleet's `instances`. */
  readonly instance: number;
  /** Whether the method ran there. */
  readonly ran: boolean;
  /** What the method returned, if it completed. */
  readonly value?: unknown;
  /** What the call threw, if it did: the error of the method, of the name function, or a `StoreDownError`. */
  readonly error?: unknown;
  /**
   * Why the method did not run there; omitted if it ran, if the name function threw, or if a decorator above
   * `@Exclusive` returned without calling it.
   */
  readonly reason?: SkipReason;
  /** The record of the run; omitted if the method did not run there, with `history: 0`, or if no node answers. */
  readonly record?: RunRecord;
  /** The `missed` events of the run there: the earlier ticks that had no complete run; omitted if there are none. */
  readonly missed?: readonly MissedEvent[];
}

/** The cron job that calls a method. */
interface Caller {
  /** The source of its firings: the cron job, or this method if it is not known which cron job calls it. */
  readonly source: object;
  readonly ticks: CronTicks;
  /** Whether it makes no call while its previous one is in progress. */
  readonly waitsForCompletion: boolean;
}

/** An `@Exclusive` method of one instance, as the scheduler sees it. */
export class ScheduledMethod {
  private readonly schedule: Schedule;
  private readonly firings: SchedulerFirings;
  /** How many calls are in progress. */
  private calls = 0;

  /** @param index The index of `app` in the fleet. */
  constructor(
    private readonly app: TestingModule,
    private readonly index: number,
    private readonly target: object,
    private readonly method: ExclusiveMethod,
  ) {
    this.schedule = app.get(ExclusiveJobs, { strict: false }).scheduleOf(method, target);
    this.firings = app.get(SchedulerFirings, { strict: false });
  }

  /**
   * Whether the scheduler of the instance would call the method; `true` for `@Timeout`, and for a method without a
   * schedule.
   */
  get isScheduled(): boolean {
    const { schedule } = this;
    if (schedule.kind === 'cron') return this.caller() !== undefined;
    return schedule.kind !== 'interval' || this.firings.sourceOf(schedule) !== undefined;
  }

  /**
   * The time of the scheduler's next call, in milliseconds since the epoch: one interval after `now` for `@Interval`,
   * and `now` for `@Timeout` and for a method without a schedule.
   *
   * @throws InvalidOptionError if there is none.
   */
  next(now: number): number {
    const { schedule } = this;
    if (schedule.kind === 'interval') return now + schedule.every;
    if (schedule.kind !== 'cron') return now;
    const ticks = this.caller()?.ticks ?? schedule.ticks;
    const next = ticks.next(now);
    if (Number.isFinite(next)) return next;
    const [from, to] = [now, searchLimit()].map((time) => new Date(time).toISOString());
    const isDate = ticks.period === Number.POSITIVE_INFINITY;
    throw this.refusal(
      `has no scheduled time after ${from}` +
        (isDate ? '' : ` that cron finds: it looks until ${to}, eight years after the date of this machine`),
    );
  }

  /** The error of a firing that cannot be made. */
  refusal(problem: string): InvalidOptionError {
    return new InvalidOptionError('TestFleet.fire()', 'job', problem, {
      subject: placeOf(this.target, this.method.key),
    });
  }

  /** Calls the method as the scheduler does; resolves to `undefined` if the scheduler would not. */
  async call(): Promise<FiredRun | undefined> {
    const caller = this.caller();
    if (!this.isScheduled || (this.calls > 0 && caller?.waitsForCompletion)) return undefined;
    const call = new WatchedCall(
      this.method,
      patternOf(this.method, this.target) ?? nameOf(this.method, this.target, []),
    );
    const missed: MissedEvent[] = [];
    const ends = everyOf(this.app, RedlockEvents).map((events) =>
      events.on('missed', (event) => missed.push(event)),
    );
    // A cron job passes its `onComplete`, which @nestjs/schedule leaves undefined; intervals and timeouts pass nothing.
    const args = this.schedule.kind === 'cron' ? [undefined] : [];
    const method = Reflect.get(this.target, this.method.key) as (...args: unknown[]) => unknown;
    let ending: Pick<FiredRun, 'value' | 'error'>;
    this.calls++;
    try {
      const value = await call.during(() =>
        this.fire(caller, () => Reflect.apply(method, this.target, args)),
      );
      ending = call.ran ? { value } : {};
    } catch (error) {
      ending = { error };
    } finally {
      this.calls--;
    }
    const report = call.started && (await this.reportOf(call.started, missed));
    for (const end of ends) end();
    const { ran, reason } = call;
    return { instance: this.index, ran, ...ending, ...(reason && { reason }), ...report };
  }

  /** What is known about a run that has ended. The records are the same, whichever import of the module has run it. */
  private async reportOf(
    { name, runId }: RunEvent,
    missed: readonly MissedEvent[],
  ): Promise<Pick<FiredRun, 'record' | 'missed'>> {
    await Promise.all(everyOf(this.app, MissedTicks).map((ticks) => ticks.compared()));
    const view = this.app.get(JobRecords, { strict: false }).view(name, LARGEST_HISTORY);
    // Without an answer, as in a test of an outage, there is no record.
    const found = await view.catch(() => undefined);
    const record = found?.records.find((each) => each.runId === runId);
    const ofJob = missed.filter((event) => event.name === name);
    return {
      ...(record && { record }),
      ...(ofJob.length > 0 && { missed: ofJob }),
    };
  }

  /** Calls `callback` in a firing, as the scheduler does. */
  private fire<Result>(caller: Caller | undefined, callback: () => Result): Result {
    const { schedule, firings } = this;
    if (caller) return fire(firings.ofCron(caller.source, caller.ticks), callback);
    return schedule.kind === 'interval' ? fire(firings.ofInterval(schedule.every), callback) : callback();
  }

  /** The cron job that calls the method; `undefined` if none would. */
  private caller(): Caller | undefined {
    if (this.schedule.kind !== 'cron') return undefined;
    const [job, ...others] = this.firings.cronJobsOf(this.schedule);
    if (!job) return undefined;
    // If several objects of one class have a cron job each, it is not known which one calls this object.
    const isKnown = others.length === 0;
    return {
      source: isKnown ? job : this,
      ticks: this.firings.ticks.of(job.cronTime),
      waitsForCompletion: job.waitForCompletion,
    };
  }
}
