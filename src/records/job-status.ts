import type { JobPause } from './job-pause.js';
import type { RecordedOutcome } from './run-record.js';

/** A run in progress. */
export interface RunningJob {
  /** Identifies the run. */
  readonly runId: string;
  /** The name of the instance that runs it. */
  readonly instanceId: string;
  /**
   * The nominal time of the tick; `null` if the run belongs to none: a run of an `@Interval`, a manual run
   * (`trigger()`), or a plain call.
   */
  readonly tick: Date | null;
  /**
   * When its call was made, by the clock of that instance. It may have begun later: a claim can wait, for example for
   * `spread`.
   */
  readonly startedAt: Date;
}

/** What the fleet knows about a job. */
export interface JobStatus {
  /** The name of the job. */
  readonly name: string;
  /** The newest tick whose run has ended; `null` if there is none, or if it is too long ago. */
  readonly lastTick: Date | null;
  /** How the newest run ended; `null` if it is not on record, as with `history: 0`. */
  readonly lastOutcome: RecordedOutcome | null;
  /** When it is due next; `null` if this instance knows no schedule of this job, or has stopped it. */
  readonly nextTick: Date | null;
  /**
   * How long a run has been due, in milliseconds; `null` if none is due, a run is in progress, the job is paused, or
   * this instance knows no schedule of this job, or no longer calls it. A run that died also counts as a run, except
   * with `history: 0` or `overlap: 'allow'`. If runs may overlap, only runs that are settled, or that this instance has
   * claimed or lost, are sure to count; others in progress may not be known. If the clock of this instance is ahead of
   * those of the nodes, its lead is subtracted, up to 30 seconds.
   */
  readonly overdueBy: number | null;
  /** The run in progress; `null` if there is none, or if runs may overlap. */
  readonly running: RunningJob | null;
  /** The pause; `null` if the job is not paused. */
  readonly paused: JobPause | null;
}

/** When a job that this instance declares is due. */
export type JobSchedule =
  | {
      /** `@Cron`. */
      readonly kind: 'cron';
      /** The expression, or a date as an ISO string. */
      readonly expression: string;
      /** The time zone; `null`: that of the process. */
      readonly timeZone: string | null;
    }
  | {
      /** `@Interval`. */
      readonly kind: 'interval';
      /** In milliseconds. */
      readonly every: number;
    }
  | {
      /** `'timeout'`: `@Timeout`. `'none'`: no schedule, or one that `cron` refuses. */
      readonly kind: 'timeout' | 'none';
    };

/** A job that this instance declares with `@Exclusive`. Durations are in milliseconds. */
export interface DeclaredJobInfo {
  /** Its name; `ClassName.method(…)` if the name depends on the arguments of a call. */
  readonly name: string;
  /** Whether the name depends on the arguments of a call. */
  readonly isPattern: boolean;
  /** The decorated method, such as `ReportService.report`. */
  readonly declaredAs: string;
  /** When it is due. */
  readonly schedule: JobSchedule;
  /** Its options, with the defaults of the module. */
  readonly options: DeclaredJobOptions;
}

/** The options in force for a job; see `JobOptions`. Durations are in milliseconds; `null`: none, or the default. */
export interface DeclaredJobOptions {
  /** The lease. */
  readonly ttl: number;
  /** The minimum time between two starts. */
  readonly every: number | null;
  /** What a tick does if it finds an earlier run in progress. */
  readonly overlap: string;
  /** After how long the `signal` of a run aborts. */
  readonly maxRuntime: number | null;
  /** Whether a tick whose instance dies is run again. */
  readonly recover: boolean;
  /** What it does without a quorum. */
  readonly onStoreDown: string;
  /** What it does about missed ticks; a number: how old one may be to be made up for. */
  readonly missed: 'skip' | 'once' | number;
  /** Over how long the claims of its ticks are spread. */
  readonly spread: number | null;
  /** How many runs are kept on record. */
  readonly history: number;
  /** How late it must be to be overdue; `null`: two periods, but at least five minutes. */
  readonly overdueAfter: number | null;
}
