import { Inject, Injectable, Logger } from '@nestjs/common';
import { type ClaimedRun, uniqueId } from '../acquire/token.js';
import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { logFailure } from '../in-background.js';
import type { ResolvedOptions } from '../options/options.js';
import { recordedSchedule } from '../records/recorded-schedule.js';
import { encodeRecord, recordedError } from '../records/run-record.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import { type AroundRun, wrapped } from '../runs/around-run.js';
import { traced } from '../events/channels.js';
import { refuseDeferredWork } from '../runs/deferred-work.js';
import type { Lease } from '../runs/lease.js';
import { LeasedRun } from '../runs/leased-run.js';
import { type CurrentRun, RunScope } from '../runs/run-context.js';
import type { RunEvent } from '../events/events.js';
import type { SkipReason } from '../runs/run-outcome.js';
import { type RunRequest, triggerOf } from '../runs/run-request.js';
import { RedlockEvents } from './redlock-events.service.js';

/** How the routine of a run has ended. */
interface RoutineEnd {
  readonly outcome: 'finished' | 'failed';
  readonly error?: unknown;
}

/** Calls the routine of each run, emits the events of calls, and ends the lease of each run with a record. */
@Injectable()
export class RunExecutor {
  private readonly logger = new Logger('RedlockModule');

  /** Wraps the routines; set by `nestjs-exclusive/opentelemetry`. */
  around: AroundRun | undefined;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly events: RedlockEvents,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Runs `routine` under the lease, and ends the lease. Rejects with what `routine` throws. */
  async execute<T>(lease: Lease, request: RunRequest, routine: (run: CurrentRun) => T): Promise<Awaited<T>> {
    const event = this.eventOf(request, lease.run);
    lease.onAbort = (reason) => this.aborted(reason, event);
    const run = new LeasedRun(event, lease, request.tick?.at ?? null, this.options.nodeTimeout);
    const scope = new RunScope(run, this.options, request.firing, lease.before.dead);
    this.events.emit('started', event);
    // A decorator above `@Exclusive` may have waited since the claim was won.
    if (lease.aborted) this.aborted(lease.aborted, event);
    const begin = this.clock.elapsed();
    const duration = (): number => this.clock.elapsed() - begin;
    let ending: RoutineEnd | undefined;
    if (request.options.history > 0) {
      const startedAt = new Date(this.clock.now());
      lease.record = () => {
        try {
          return this.recordOf(event, request, lease, startedAt, duration(), ending);
        } catch (error) {
          // The tick is settled anyway.
          logFailure(`Recording a run of ${quoted(event.name)}`, error);
          return undefined;
        }
      };
    }
    try {
      const { around } = this;
      const call = (): T => routine(run);
      const called = around ? (): T => wrapped(around, event, call) : call;
      const value = await scope.enter(() => traced(event, called));
      refuseDeferredWork(event.name, value);
      ending = { outcome: 'finished' };
      lease.checkTime();
      this.events.emit('finished', { ...event, duration: duration() });
      return value;
    } catch (error) {
      failed(request);
      ending = { outcome: 'failed', error };
      lease.checkTime();
      this.events.emit('failed', { ...event, duration: duration(), error });
      throw error;
    } finally {
      scope.end();
      await lease.finish();
    }
  }

  /** A call was not run by this instance. */
  skipped(request: RunRequest, reason: SkipReason): void {
    if (reason === 'store-down' && request.options.onStoreDown === 'throw') failed(request);
    this.events.emit('skipped', { ...this.eventOf(request), reason });
  }

  private aborted(error: Error, event: RunEvent): void {
    this.logger.warn(error.message);
    this.events.emit('aborted', { ...event, error });
  }

  /** @param ending `undefined` if the routine has not ended. */
  private recordOf(
    { runId, tick, instanceId, trigger }: RunEvent,
    { ticks, options }: RunRequest,
    { aborted }: Lease,
    startedAt: Date,
    duration: number,
    ending: RoutineEnd | undefined,
  ): string {
    const outcome = aborted || !ending ? 'aborted' : ending.outcome;
    // What an aborted routine throws usually says only that it was aborted.
    const error = aborted ?? ending?.error;
    return encodeRecord({
      runId,
      tick,
      instanceId,
      trigger,
      startedAt,
      duration,
      outcome,
      error: error === undefined || !this.options.recordErrors ? null : recordedError(error),
      schedule: ticks ? recordedSchedule(ticks, options) : null,
    });
  }

  /** @param run The run that was claimed; omitted for a call that was skipped. */
  private eventOf(request: RunRequest, run: Partial<ClaimedRun> = {}): RunEvent {
    const { runId = uniqueId(), trigger = triggerOf(request) } = run;
    const { name, pattern = name, tick } = request;
    return {
      runId,
      name,
      pattern,
      tick: tick ? new Date(tick.at) : null,
      instanceId: this.options.instanceId,
      trigger,
    };
  }
}

/** Notes that a call in a cron firing rejects; see `JobCallers`. */
function failed({ firing, name }: RunRequest): void {
  if (firing?.kind === 'cron') firing.failed.add(name);
}
