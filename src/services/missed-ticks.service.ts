import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Denial } from '../acquire/outcome.js';
import { contentOf } from '../acquire/token.js';
import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { inBackground } from '../in-background.js';
import type { ResolvedJobOptions, ResolvedOptions } from '../options/options.js';
import { pausedTime } from '../records/job-pause.js';
import type { MergedView } from '../records/merged-view.js';
import { type Evidence, groupedByCause, ignoredCauses, ticksBetween } from '../records/missed-ticks.js';
import { recordedSchedule } from '../records/recorded-schedule.js';
import type { RunRecord } from '../records/run-record.js';
import { SkippedTicks } from '../records/skipped-ticks.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { Lease } from '../runs/lease.js';
import type { MissedCause, MissedEvent } from '../runs/run-event.js';
import { type RunRequest, triggerOf } from '../runs/run-request.js';
import type { CronTicks, Tick } from '../schedule/cron-ticks.js';
import { JobCallers } from './job-callers.service.js';
import { JobRecords } from './job-records.service.js';
import { intervalOf, type KnownJob, KnownJobs } from './known-jobs.service.js';
import { RedlockEvents } from './redlock-events.service.js';

const WHY: Readonly<Record<Exclude<MissedCause, 'overlap' | 'paused'>, string>> = {
  died: 'a run begun then or earlier never finished, probably because its process ended',
  'store-down': 'no quorum of the nodes voted',
  overload: 'there were too many claims at once for the nodes or for this process',
  unknown: 'perhaps none was up',
};

/** Notices the ticks that had no complete run: whoever wins a tick compares it with the one that was settled before. */
@Injectable()
export class MissedTicks {
  private readonly logger = new Logger('RedlockModule');
  private readonly comparing = new Set<Promise<void>>();
  /** Called when a tick of a paused job is skipped. */
  onPaused: ((name: string) => void) | undefined;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly jobs: KnownJobs,
    private readonly callers: JobCallers,
    private readonly records: JobRecords,
    private readonly events: RedlockEvents,
  ) {}

  /** This instance did not run a call. */
  skipped(request: RunRequest, denial: Denial): void {
    const { name, tick } = request;
    const { reason, holder } = denial;
    const job = this.note(request, reason === 'elsewhere' || reason === 'settled');
    if (tick) job?.skipped.add(tick.at, reason, reason === 'overlap' ? holder : undefined);
    const run = holder === undefined ? undefined : contentOf(holder);
    // If another module of this application makes up for the tick, its claim is undone: the job is guarded here.
    if (run?.trigger !== 'catch-up') this.lost(request, denial);
    // A lock of another program is no run.
    if (job && reason === 'overlap' && run) job.idleUntil = this.clock.now();
    if (reason !== 'paused') return;
    // A skip does not tell when the pause ends; what is known of that remains, unless it has passed.
    if (job && !((job.pausedUntil ?? 0) > this.clock.now())) job.pausedUntil = Number.POSITIVE_INFINITY;
    this.onPaused?.(name);
  }

  /** This instance did not win a tick, whether or not a call was skipped for that. */
  lost({ name, tick }: RunRequest, { reason, holder, isUnbegun }: Denial): void {
    // A tick that was lost to a split vote, or left to those who wait for a run of another one, may run nowhere.
    const isOthers = reason === 'elsewhere' && holder !== undefined && contentOf(holder)?.tick === tick?.at;
    if (isOthers || (reason === 'settled' && !isUnbegun)) begin(this.jobs.get(name), tick);
  }

  /** This instance runs a call although no quorum votes. */
  unguarded(request: RunRequest): void {
    const job = this.note(request, true);
    begin(job, request.tick);
    if (request.tick) job?.skipped.add(request.tick.at, 'unguarded');
  }

  /** This instance has won a call. */
  won(request: RunRequest, { before, run }: Lease): void {
    const job = this.note(request, true);
    const { tick, ticks, past } = request;
    begin(job, tick);
    if (!tick || !ticks || !job || past === 'run here') return;
    // A takeover is of an older tick: what became of the ticks since then is compared when a newer one is won.
    if (run?.trigger === 'recover') return;
    const { skipped } = job;
    job.skipped = new SkippedTicks();
    const begun = before.unfinished === undefined ? undefined : contentOf(before.unfinished)?.tick;
    // If no tick was ever settled, the one that was begun is the first that can be missed.
    const last = before.last ?? (begun === undefined ? undefined : begun - 1);
    if (last === undefined || ticks.areConsecutive(last, tick.at)) return;
    const comparison = inBackground('Looking for missed ticks', () =>
      this.compare(job, last, tick, ticks, skipped),
    );
    this.comparing.add(comparison);
    void comparison.finally(() => this.comparing.delete(comparison));
  }

  /** Resolves when all ticks that were won have been compared with the ticks before. */
  async compared(): Promise<void> {
    await Promise.all(this.comparing);
  }

  /** Returns the job of a request, and notes how far it has come. */
  private note(request: RunRequest, hasProgressed: boolean): KnownJob | undefined {
    const { tick, firing, past } = request;
    const schedule = this.scheduleOf(request);
    if (schedule === undefined) return undefined;
    const job = this.jobs.add(request, schedule);
    // The cron job has not called a takeover.
    if (firing?.kind === 'cron' && past !== 'perhaps begun')
      this.callers.called(job, firing, groupOf(request));
    else if (request.source) job.source = request.source;
    const at = tick?.at ?? this.clock.now();
    if (hasProgressed && !(job.progress !== undefined && job.progress >= at)) {
      job.progress = at;
      // Plain calls and triggers run while a job is paused.
      if (!['call', 'manual'].includes(triggerOf(request))) job.pausedUntil = undefined;
    }
    return job;
  }

  private scheduleOf({ name, options, ticks, firing }: RunRequest): CronTicks | number | undefined {
    if (ticks) return ticks;
    const { every } = options;
    if (firing?.kind === 'interval') return intervalOf(firing.period, every);
    // A plain call may have `every`, too. It counts for the interval of a job, but is no schedule by itself.
    const known = this.jobs.get(name);
    if (typeof known?.schedule !== 'number' || every === undefined) return undefined;
    return (known.options.every ?? known.schedule) === every ? known.schedule : undefined;
  }

  private async compare(
    { name, pattern, options, since }: KnownJob,
    last: number,
    tick: Tick,
    ticks: CronTicks,
    skipped: SkippedTicks,
  ): Promise<void> {
    // The routine goes first.
    await this.clock.turn();
    const previous = ticks.previous(tick.at);
    if (previous === undefined || previous <= last) return;
    const missed = await ticksBetween(ticks, last, tick.at, this.clock);
    const { records, pause } = await this.viewOf(name, options);
    const isLast = (record: RunRecord): boolean => record.tick?.getTime() === last;
    // The schedule may have changed, for example with a deployment.
    const isSame = records.find(isLast)?.schedule === recordedSchedule(ticks, options);
    const known = missed.filter((at) => isSame || at >= since);
    const ignored = ignoredCauses(options);
    const paused = pausedTime(pause, this.clock.now());
    const evidence: Evidence = { skipped, records, paused, ignored };
    const { instanceId } = this.options;
    for (const { from, to, count, cause } of groupedByCause(known, evidence)) {
      const range = { from: new Date(from), to: new Date(to), count };
      // No warning if this instance was up and lost these ticks without knowing why they did not run: another
      // instance may have won them.
      if (cause !== 'unknown' || to < since) this.warn({ name, cause, ...range });
      this.events.emit('missed', { name, pattern, instanceId, ...range, cause });
    }
  }

  private warn({
    name,
    from,
    to,
    count,
    cause,
  }: Pick<MissedEvent, 'name' | 'from' | 'to' | 'count' | 'cause'>): void {
    // The skips have been logged, once an hour, and a pause is intended.
    if (cause === 'overlap' || cause === 'paused') return;
    const what =
      count === 1
        ? `The tick of ${from.toISOString()}`
        : `${count} ticks, from ${from.toISOString()} to ${to.toISOString()},`;
    const fate = cause === 'died' ? 'had no complete run' : 'ran on no instance';
    this.logger.warn(`${what} of ${quoted(name)} ${fate}: ${WHY[cause]}`);
  }

  private async viewOf(
    name: string,
    { history }: ResolvedJobOptions,
  ): Promise<Pick<MergedView, 'records' | 'pause'>> {
    try {
      // All records are read: that of the last tick tells the schedule, and plain calls and triggers may have added
      // newer ones.
      return await this.records.view(name, history);
    } catch {
      return { records: [], pause: undefined };
    }
  }
}

/** Remembers that a tick has begun on some instance. */
function begin(job: KnownJob | undefined, tick: Tick | undefined): void {
  if (job && tick) job.begun = Math.max(job.begun ?? tick.at, tick.at);
}

/** The group of a job (see `JobCallers`): what stands for its computed names; `undefined` if its name is fixed. */
function groupOf({ name, pattern = 'run()' }: RunRequest): string | undefined {
  return pattern === name ? undefined : pattern;
}
