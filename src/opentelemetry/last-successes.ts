import type { Clock } from '../clock.js';
import type { JobCallers } from '../services/job-callers.service.js';
import type { JobRecords } from '../services/job-records.service.js';
import type { KnownJob, KnownJobs } from '../services/known-jobs.service.js';
import type { EndListener } from './run-ends.js';

/** How often the records of a job are read at most, in milliseconds. */
const READ_AFTER = 60_000;
/** How many jobs are looked up in one round. */
const LOOKUPS = 100;
/** How many records are read. */
const RECORDS = 50;

/** What is known about the runs of a job. Times are in milliseconds since the epoch; 0 if they are not known. */
interface PastRuns {
  /** When the newest successful run ended. */
  readonly success: number;
  /** The newest tick, or start, of a successful run. */
  readonly tick: number;
  /**
   * Whether another run may have succeeded since the records of the job were read: a run was in progress then, or the
   * newest one had not succeeded. `undefined` until they have been read, or a run of this instance has succeeded.
   */
  readonly mayChange: boolean | undefined;
  /** When the records of the job were last read, or could not be read. */
  readonly readAt: number;
}

const NOTHING: PastRuns = { success: 0, tick: 0, mayChange: undefined, readAt: 0 };

/** When each scheduled job last succeeded on any instance. */
export class LastSuccesses {
  private readonly pasts = new WeakMap<KnownJob, PastRuns>();

  constructor(
    private readonly jobs: readonly KnownJobs[],
    private readonly callers: readonly JobCallers[],
    private readonly records: JobRecords,
    private readonly clock: Clock,
  ) {}

  /** A run of this instance has ended. */
  readonly ended: EndListener = ({ name, tick, duration }, { outcome }) => {
    if (outcome !== 'finished') return;
    const now = this.clock.now();
    for (const jobs of this.jobs) {
      const job = jobs.get(name);
      if (job) this.note(job, { success: now, tick: tick?.getTime() ?? now - duration, mayChange: false });
    }
  };

  /**
   * The jobs that are on record, without those of tenants that have left (see `JobCallers.isLeftOut`), and how many
   * seconds ago each last succeeded. A job without a success counts from when this instance first knew it. The nodes
   * are asked only about jobs that are new, or whose newest run is not known to have succeeded: another instance may
   * have run them again.
   */
  async ages(isShown: (job: KnownJob) => boolean): Promise<{ job: KnownJob; seconds: number }[]> {
    const jobs = this.jobs
      .flatMap((known) => known.all())
      .filter((job) => job.options.history > 0 && isShown(job))
      .filter((job) => !this.callers.some((callers) => callers.isLeftOut(job)));
    // Jobs that keep failing, or cannot be read, are due again and again: they must not keep the others waiting.
    const due = jobs
      .filter((job) => this.isDue(job))
      .toSorted((a, b) => this.of(a).readAt - this.of(b).readAt)
      .slice(0, LOOKUPS);
    await Promise.all(due.map((job) => this.read(job)));
    const now = this.clock.now();
    return jobs
      .filter((job) => this.of(job).mayChange !== undefined)
      .map((job) => ({ job, seconds: Math.max(now - (this.of(job).success || job.since), 0) / 1000 }));
  }

  private isDue(job: KnownJob): boolean {
    const { tick, mayChange, readAt } = this.of(job);
    return this.clock.now() - readAt >= READ_AFTER && (mayChange !== false || (job.progress ?? 0) > tick);
  }

  private async read(job: KnownJob): Promise<void> {
    try {
      const { records, running } = await this.records.view(job.name, RECORDS);
      const successes = records.filter(({ outcome }) => outcome === 'finished');
      this.note(job, {
        success: Math.max(
          0,
          ...successes.map(({ startedAt, duration }) => startedAt.getTime() + (duration ?? 0)),
        ),
        tick: Math.max(0, ...successes.map(({ tick, startedAt }) => (tick ?? startedAt).getTime())),
        mayChange: running !== undefined || records[0] !== successes[0],
        readAt: this.clock.now(),
      });
    } catch {
      // No node answers, so what was known is kept.
      this.note(job, { readAt: this.clock.now() });
    }
  }

  /**
   * Keeps the known times if they are newer: a read can miss successes, because runs without a quorum leave no record,
   * and records are dropped.
   */
  private note(job: KnownJob, found: Partial<PastRuns>): void {
    const { success, tick, ...known } = this.of(job);
    this.pasts.set(job, {
      ...known,
      ...found,
      success: Math.max(success, found.success ?? 0),
      tick: Math.max(tick, found.tick ?? 0),
    });
  }

  private of(job: KnownJob): PastRuns {
    return this.pasts.get(job) ?? NOTHING;
  }
}
