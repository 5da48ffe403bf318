import type { Clock } from '../clock.js';
import type { EndedRunEvent } from '../runs/run-event.js';
import type { JobRecords } from '../services/job-records.service.js';
import type { KnownJob, KnownJobs } from '../services/known-jobs.service.js';

/** How often the records of a job are read at most, in milliseconds. */
const READ_AFTER = 60_000;
/** How many jobs are looked up in one round. */
const LOOKUPS = 100;
/** How many records are read. */
const RECORDS = 50;

/** What is known about the runs of a job. Times are in milliseconds since the epoch. */
interface Past {
  /** When its newest successful run ended. */
  success: number;
  /** The newest tick, or start, whose run is known to have ended. */
  newest: number;
  /** When its records were read. */
  readAt: number;
}

/** When each scheduled job last succeeded on any instance. */
export class LastSuccesses {
  private readonly pasts = new WeakMap<KnownJob, Past>();

  constructor(
    private readonly jobs: readonly KnownJobs[],
    private readonly records: JobRecords,
    private readonly clock: Clock,
  ) {}

  /** A run of this instance has ended. */
  ended({ name, tick }: EndedRunEvent, isSuccess: boolean): void {
    for (const jobs of this.jobs) {
      const job = jobs.get(name);
      const past = job && this.pasts.get(job);
      // If nothing is known yet, the records of the job are read when its last success is asked for.
      if (!past) continue;
      const now = this.clock.now();
      past.newest = Math.max(past.newest, tick?.getTime() ?? now);
      if (isSuccess) past.success = now;
    }
  }

  /**
   * The jobs that are on record, and for how many seconds each has not succeeded. A job without a success counts from
   * when this instance has known it. The nodes are asked only about jobs that are new, or that other instances have run
   * since their records were read.
   */
  async ages(isShown: (job: KnownJob) => boolean): Promise<{ job: KnownJob; seconds: number }[]> {
    const jobs = this.jobs
      .flatMap((known) => [...known.all()])
      .filter((job) => job.options.history > 0 && isShown(job));
    const due = jobs.filter((job) => this.isDue(job)).slice(0, LOOKUPS);
    await Promise.all(due.map((job) => this.read(job)));
    const now = this.clock.now();
    return jobs.flatMap((job) => {
      const past = this.pasts.get(job);
      return past ? { job, seconds: Math.max(now - past.success, 0) / 1000 } : [];
    });
  }

  private isDue(job: KnownJob): boolean {
    const past = this.pasts.get(job);
    if (!past) return true;
    return this.clock.now() - past.readAt >= READ_AFTER && (job.progress ?? 0) > past.newest;
  }

  private async read(job: KnownJob): Promise<void> {
    try {
      const { records } = await this.records.view(job.name, RECORDS);
      const [last] = records;
      const success = records.find(({ outcome }) => outcome === 'finished');
      const before = this.pasts.get(job);
      this.pasts.set(job, {
        success: success
          ? success.startedAt.getTime() + (success.duration ?? 0)
          : (before?.success ?? job.since),
        newest: (last?.tick ?? last?.startedAt)?.getTime() ?? 0,
        readAt: this.clock.now(),
      });
    } catch {
      // No node answers; what was known remains.
    }
  }
}
