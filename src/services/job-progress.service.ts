import { Inject, Injectable } from '@nestjs/common';
import type { Denial } from '../acquire/outcome.js';
import { contentOf } from '../acquire/token.js';
import type { Clock } from '../clock.js';
import { CLOCK } from '../redlock.module-definition.js';
import { RunScope } from '../runs/run-context.js';
import { type RunRequest, triggerOf } from '../runs/run-request.js';
import type { CronTicks } from '../schedule/cron-ticks.js';
import { intervalOf } from '../schedule/due-times.js';
import { JobCallers } from './job-callers.service.js';
import { type KnownJob, KnownJobs } from './known-jobs.service.js';

/** Notes how far each known job has come: from the calls of this instance, and from what became of them. */
@Injectable()
export class JobProgress {
  /** Called when a tick of a paused job is skipped. */
  onPaused: ((name: string) => void) | undefined;
  /** Called when a tick is skipped because the nodes cannot vote on its job, although they vote on others. */
  onRefused: ((name: string) => void) | undefined;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: KnownJobs,
    private readonly callers: JobCallers,
  ) {}

  /** This instance did not run a call. */
  skipped(request: RunRequest, denial: Denial): void {
    const { name, tick } = request;
    const { reason, holder, isOfOneLock } = denial;
    const job = this.note(request, reason === 'elsewhere' || reason === 'settled');
    if (tick) job?.skipped.add(tick.at, reason, reason === 'overlap' ? holder : undefined);
    this.lost(request, denial);
    // A lock of another program is no run.
    if (job && reason === 'overlap' && holder !== undefined && contentOf(holder))
      job.idleUntil = this.clock.now();
    if (tick && reason === 'store-down' && isOfOneLock) this.onRefused?.(name);
    if (reason !== 'paused') return;
    // A skip does not tell when the pause ends. A known end is kept, unless it has passed.
    if (job && !((job.pausedUntil ?? 0) > this.clock.now())) job.pausedUntil = Number.POSITIVE_INFINITY;
    this.onPaused?.(name);
  }

  /** This instance did not win a tick: its call was skipped, or there was no call (see `JobRunner.runUncalled`). */
  lost(request: RunRequest, { reason, holder, isUnsure, isUnbegun }: Denial): void {
    const { name, tick } = request;
    // The tick may have run nowhere if the vote was split, if the holder may not have won, if the tick was left to
    // other losers that wait for a run to end, or if `every` leaves it out. In the last two cases, the holder is not
    // the run of this tick.
    const run = holder === undefined ? undefined : contentOf(holder);
    const isOthers = reason === 'elsewhere' && run !== undefined && run.tick === tick?.at;
    if (!isOthers && !(reason === 'settled' && holder === undefined && !isUnbegun)) return;
    const job = this.jobs.get(name);
    if (!job || !tick || this.callers.isOutsider(job, request.firing)) return;
    if (!isOthers || !isUnsure) begin(job, request);
    // Whoever wins it compares it.
    job.compared = Math.max(job.compared ?? tick.at, tick.at);
  }

  /** This instance runs a call although no quorum votes. */
  unguarded(request: RunRequest): void {
    const job = this.note(request, true);
    begin(job, request);
    if (request.tick) job?.skipped.add(request.tick.at, 'unguarded');
  }

  /** This instance has won a call. Returns the job of the call; `undefined` if the job has no schedule. */
  won(request: RunRequest): KnownJob | undefined {
    const job = this.note(request, true);
    begin(job, request);
    return job;
  }

  /** Returns the job of a request, and notes how far it has come. */
  private note(request: RunRequest, hasProgressed: boolean): KnownJob | undefined {
    const { tick, firing, past } = request;
    const schedule = this.scheduleOf(request);
    const isInner = past === 'run here' && firing !== undefined && RunScope.wasWonIn(firing);
    // Calls inside a run, and calls by another cron job, say nothing about a schedule that the job declares.
    const declared = this.jobs.declaredAs(request.name);
    if (schedule === undefined || (declared && (isInner || this.callers.isOutsider(declared, firing))))
      return undefined;
    const job = this.jobs.add(request, schedule);
    job.isInner = isInner;
    if (firing?.kind === 'cron') this.callers.called(job, firing, groupOf(request));
    else if (request.source) job.source = request.source;
    const at = tick?.at ?? this.clock.now();
    if (hasProgressed && !(job.progress !== undefined && job.progress >= at)) {
      job.progress = at;
      // Plain calls and triggers run while a job is paused: see `claimOf` in `runs/claim-builder.ts`.
      if (!['call', 'manual'].includes(triggerOf(request))) job.pausedUntil = undefined;
    }
    return job;
  }

  private scheduleOf({ name, options, ticks, firing }: RunRequest): CronTicks | number | undefined {
    if (ticks) return ticks;
    const { every } = options;
    if (firing?.kind === 'interval') return intervalOf(firing.period, every);
    // If a job has an interval, a plain call with the same `every` counts for it. Other jobs get none from such a call.
    const known = this.jobs.get(name);
    if (typeof known?.schedule !== 'number' || every === undefined) return undefined;
    return (known.options.every ?? known.schedule) === every ? known.schedule : undefined;
  }
}

/**
 * Remembers that a tick has begun on some instance. A call inside a run has the tick of that run, perhaps of another
 * job.
 */
function begin(job: KnownJob | undefined, { tick, past }: RunRequest): void {
  if (job && tick && past !== 'run here') job.begun = Math.max(job.begun ?? tick.at, tick.at);
}

/**
 * The group of a job (see `JobCallers`): the pattern of a computed name; `undefined` for a decorated method with a
 * fixed name. All names that are passed to `run()` are one group, because any of them may be computed.
 */
function groupOf({ name, pattern = 'run()' }: RunRequest): string | undefined {
  return pattern === name ? undefined : pattern;
}
