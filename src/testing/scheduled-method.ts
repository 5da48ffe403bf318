import { AsyncLocalStorage } from 'node:async_hooks';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../options/options.js';
import { fire } from '../schedule/firing.js';
import { CronTicks } from '../schedule/cron-ticks.js';
import type { Schedule } from '../schedule/schedule-of.js';
import { listed, shown } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import type { ExclusiveMethod } from '../decorators/exclusive-method.js';
import { ExclusiveJobs } from '../services/exclusive-jobs.service.js';
import type { SkipReason } from '../runs/run-outcome.js';
import type { MissedEvent, RunEvent } from '../runs/run-event.js';
import { LARGEST_HISTORY } from '../options/resolve-options.js';
import { type RunRecord, runRecord } from '../records/run-record.js';
import { JobRecords } from '../services/job-records.service.js';
import { MissedTicks } from '../services/missed-ticks.service.js';
import { SchedulerFirings } from '../services/scheduler-firings.service.js';
import { RedlockEvents } from '../services/redlock-events.service.js';

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
  /** Why the method did not run there; omitted if it ran. */
  readonly reason?: SkipReason;
  /** The record of the run; omitted if the method did not run there, with `history: 0`, or if no node answers. */
  readonly record?: RunRecord;
  /** The ticks that the run there found to have had no complete run; omitted if there are none. */
  readonly missed?: readonly MissedEvent[];
}

/** The current call, across everything that it awaits. */
const calls = new AsyncLocalStorage<object>();

/** An `@Exclusive` method of one instance, as the scheduler sees it. */
export class ScheduledMethod {
  private readonly schedule: Schedule;

  /** @param index The index of `app` in the fleet. */
  private constructor(
    private readonly app: TestingModule,
    private readonly index: number,
    private readonly target: object,
    private readonly method: ExclusiveMethod,
  ) {
    this.schedule = app.get(ExclusiveJobs).scheduleOf(method, target);
  }

  /**
   * Finds the method that `job` names: the name in `@Exclusive`, or `ClassName.method`.
   *
   * @throws InvalidOptionError if there is none, with the names that exist.
   */
  static find(app: TestingModule, index: number, job: string): ScheduledMethod {
    const known: string[] = [];
    for (const { method, instance } of app.get(ExclusiveJobs).all()) {
      const place = `${instance.constructor.name}.${String(method.key)}`;
      if (job === method.name || job === place) return new ScheduledMethod(app, index, instance, method);
      known.push(typeof method.name === 'string' ? method.name : place);
    }
    throw new InvalidOptionError('TestFleet.fire()', 'job', `(known jobs: ${listed(known) || 'none'})`, {
      subject: `unknown job ${shown(job)}`,
    });
  }

  /**
   * The time of the scheduler's next call, in milliseconds since the epoch: one interval after `now` for `@Interval`,
   * and `now` for a method without a schedule.
   *
   * @throws InvalidOptionError if no scheduler of the application would call the method, or the schedule has ended.
   */
  next(now: number): number {
    const { schedule } = this;
    if (schedule.kind === 'none' || schedule.kind === 'timeout') return now;
    const at = schedule.kind === 'cron' ? schedule.ticks.next(now) : now + schedule.every;
    const timers = this.timers();
    const isMounted =
      schedule.kind === 'cron'
        ? timers.crons.some(({ fingerprint }) => fingerprint === schedule.ticks.fingerprint)
        : timers.intervals.length > 0;
    if (!isMounted) {
      throw this.refusal(
        'is not scheduled: is ScheduleModule.forRoot() among the imports of AppModule, and the class not request-scoped?',
      );
    }
    if (at >= now && at < Number.POSITIVE_INFINITY) return at;
    throw this.refusal(`has no scheduled time after ${new Date(now).toISOString()}`);
  }

  private refusal(problem: string): InvalidOptionError {
    return new InvalidOptionError('TestFleet.fire()', 'job', problem, { subject: this.place });
  }

  /** Calls the method as the scheduler does. */
  async call(): Promise<FiredRun> {
    const call = {};
    let answer: Pick<FiredRun, 'instance' | 'record' | 'missed'> = { instance: this.index };
    // The first event of the call is its own; the run may emit others, for jobs that it calls.
    let first: (RunEvent & { reason?: SkipReason }) | undefined;
    const note = (event: RunEvent & { reason?: SkipReason }): void => {
      if (calls.getStore() === call) first ??= event;
    };
    const missed: MissedEvent[] = [];
    const events = this.app.get(RedlockEvents, { strict: false });
    const ends = [
      events.on('started', note),
      events.on('skipped', note),
      events.on('missed', (event) => missed.push(event)),
    ];
    const report = async (): Promise<void> => {
      if (first && !first.reason) answer = { ...answer, ...(await this.reportOf(first, missed)) };
    };
    // A cron job passes its `onComplete`, which @nestjs/schedule leaves undefined; the others pass nothing.
    const args = this.schedule.kind === 'cron' ? [undefined] : [];
    const method = Reflect.get(this.target, this.method.key) as (...args: unknown[]) => unknown;
    try {
      const value = await calls.run(call, () => this.fire(() => Reflect.apply(method, this.target, args)));
      await report();
      const reason = first?.reason;
      return reason ? { ...answer, ran: false, reason } : { ...answer, ran: true, value };
    } catch (error) {
      await report();
      const reason = first?.reason;
      if (reason) return { ...answer, ran: false, reason, error };
      const { enabled } = this.app.get<ResolvedOptions>(RESOLVED_OPTIONS, { strict: false });
      return { ...answer, ran: first !== undefined || !enabled, error };
    } finally {
      for (const end of ends) end();
    }
  }

  /** What is known about a run that has ended. */
  private async reportOf(
    { name, runId }: RunEvent,
    missed: readonly MissedEvent[],
  ): Promise<Pick<FiredRun, 'record' | 'missed'>> {
    await this.app.get(MissedTicks, { strict: false }).compared();
    const view = this.app.get(JobRecords, { strict: false }).view(name, LARGEST_HISTORY);
    // Without an answer, as in a test of an outage, there is no record.
    const found = await view.catch(() => undefined);
    const record = found?.records.find((each) => each.runId === runId);
    const ofJob = missed.filter((event) => event.name === name);
    return {
      ...(record && { record: runRecord(record) }),
      ...(ofJob.length > 0 && { missed: ofJob }),
    };
  }

  /** Calls `callback` in a firing, as the scheduler does. */
  private fire<Result>(callback: () => Result): Result {
    const { schedule } = this;
    const firings = this.app.get(SchedulerFirings, { strict: false });
    switch (schedule.kind) {
      case 'cron':
        return fire(firings.ofCron(this.method, schedule.ticks), callback);
      case 'interval':
        return fire(firings.ofInterval(schedule.every), callback);
      case 'timeout':
      case 'none':
        return callback();
    }
  }

  private get place(): string {
    return `${this.target.constructor.name}.${String(this.method.key)}`;
  }

  /** The timers that the application's scheduler has mounted. */
  private timers(): { readonly crons: readonly CronTicks[]; readonly intervals: readonly string[] } {
    let registry: SchedulerRegistry;
    try {
      registry = this.app.get(SchedulerRegistry, { strict: false });
    } catch {
      return { crons: [], intervals: [] };
    }
    const crons = [...registry.getCronJobs().values()].map(({ cronTime }) => new CronTicks(cronTime));
    return { crons, intervals: registry.getIntervals() };
  }
}
