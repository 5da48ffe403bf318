import { Inject, Injectable, Logger } from '@nestjs/common';
import { contentOf, ownTick } from '../acquire/token.js';
import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { inBackground } from '../in-background.js';
import type { ResolvedJobOptions, ResolvedOptions } from '../options/options.js';
import { pausedTime } from '../records/job-pause.js';
import type { MergedView } from '../records/merged-view.js';
import { type Evidence, groupedByCause, ignoredCauses, ticksBetween } from '../records/missed-ticks.js';
import { recordedSchedule } from '../records/recorded-schedule.js';
import { isRunOf } from '../records/run-record.js';
import { SkippedTicks } from '../records/skipped-ticks.js';
import { CLOCK, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { Lease } from '../runs/lease.js';
import type { MissedCause, MissedEvent } from '../events/events.js';
import type { RunRequest } from '../runs/run-request.js';
import type { CronTicks, Tick } from '../schedule/cron-ticks.js';
import { JobRecords } from './job-records.service.js';
import type { KnownJob } from './known-jobs.service.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { RedlockEvents } from './redlock-events.service.js';

const WHY: Readonly<Record<Exclude<MissedCause, 'overlap' | 'paused'>, string>> = {
  died: 'a run begun then or earlier never finished, probably because its process ended',
  'store-down': 'there was no quorum of the nodes',
  overload: 'there were too many claims at once for the nodes or for this process',
  unknown: 'perhaps none was up',
};
/** After how long the records are read again if no majority of the nodes reports on them, in milliseconds. */
const RETRY_DELAYS = [500, 2000];
/** The text for `'store-down'` with a single node, where 'quorum' would be confusing. */
const NO_LOCK = 'no lock could be acquired';

/** Notices the ticks that had no complete run: whoever wins a tick compares it with the one that was settled before. */
@Injectable()
export class MissedTicks {
  private readonly logger = new Logger('RedlockModule');
  private readonly comparing = new Set<Promise<void>>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly records: JobRecords,
    private readonly events: RedlockEvents,
    private readonly leases: LeaseRegistry,
  ) {}

  /** This instance has won a call of a job with a schedule. */
  won(job: KnownJob, { tick, ticks, past }: RunRequest, { before, run }: Lease): void {
    if (!tick || !ticks || past === 'run here') return;
    // A takeover is of an older tick: what became of the ticks since then is compared when a newer one is won.
    if (run?.trigger === 'recover') return;
    const { skipped, compared = 0 } = job;
    job.skipped = new SkippedTicks();
    job.compared = Math.max(compared, tick.at);
    const unfinished = before.unfinished === undefined ? undefined : contentOf(before.unfinished);
    const begun = unfinished && ownTick(unfinished);
    // If no tick was ever settled, the one that was begun is the first that can be missed.
    const last = before.last ?? (begun === undefined ? undefined : begun - 1);
    if (last === undefined) return;
    // If runs may overlap, an earlier one may be in progress: whoever won its tick has compared it.
    const after = job.options.overlap === 'allow' ? Math.max(last, compared) : last;
    if (ticks.areConsecutive(after, tick.at)) return;
    const comparison = inBackground('Looking for missed ticks', () =>
      this.compare(job, { last, after }, tick, ticks, skipped),
    );
    this.comparing.add(comparison);
    void comparison.finally(() => this.comparing.delete(comparison));
  }

  /** Resolves when all ticks that were won have been compared with the ticks before. */
  async compared(): Promise<void> {
    await Promise.all(this.comparing);
  }

  /** @param range `last`: the newest settled tick; `after`: the tick after which to look for missed ones. */
  private async compare(
    { name, pattern, options, since }: KnownJob,
    { last, after }: { readonly last: number; readonly after: number },
    tick: Tick,
    ticks: CronTicks,
    skipped: SkippedTicks,
  ): Promise<void> {
    // The search takes time, and must not delay the routine, which has just started.
    await this.clock.turn();
    const previous = ticks.timeBefore(tick.at);
    if (previous === undefined || previous <= after) return;
    const missed = await ticksBetween(ticks, after, tick.at, this.clock);
    const view = await this.viewOf(name, options);
    if (!view) return;
    const { records, pause } = view;
    const newest = records.find((record) => isRunOf(last, record));
    // The schedule may have changed, for example with a deployment.
    const isSame = newest?.schedule === recordedSchedule(ticks, options);
    // Whoever won the tick of a run that died has looked at the ticks before it.
    const died = records.filter(({ outcome }) => outcome === 'died');
    const begun = died.map((run) => ownTick(run)?.getTime() ?? last).filter((at) => at < tick.at);
    const first = Math.max(last, ...begun);
    const known = missed.filter((at) => at >= first && (isSame || at >= since));
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
    const why = cause === 'store-down' && this.options.nodes.length === 1 ? NO_LOCK : WHY[cause];
    this.logger.warn(`${what} of ${quoted(name)} ${fate}: ${why}`);
  }

  /** @returns `undefined` if the application is closed. */
  private async viewOf(
    name: string,
    { history }: ResolvedJobOptions,
  ): Promise<Pick<MergedView, 'records' | 'pause'> | undefined> {
    // All records are read: that of the last tick tells the schedule, and plain calls and triggers may have added newer
    // ones.
    for (const delay of RETRY_DELAYS) {
      try {
        return await this.records.quorumView(name, history);
      } catch {
        // An instance that has just started is busy: answers to it may be late.
        await new Promise<void>((resolve) => void this.clock.setTimeout(resolve, delay).unref());
        if (this.leases.isClosed) return undefined;
      }
    }
    return this.records.view(name, history).catch(() => ({ records: [], pause: undefined }));
  }
}
