// What the server sends to the page, as JSON. Numbers that are times are milliseconds since the epoch.
import type {
  DeclaredJobInfo,
  DriftKind,
  FleetInstance,
  Health,
  JobStatus,
  RecordedOutcome,
  RunRecord,
  ScheduleInfo,
  Trigger,
} from './redlock-data.js';

/** A value as `JSON.parse` returns it. */
export type Json<T> = T extends Date
  ? string
  : T extends object
    ? { readonly [Key in keyof T]: Json<T[Key]> }
    : T;

/** A run: id, tick, start, duration, outcome, instance, trigger, error. Short, because a page can show thousands. */
export type RunTuple = readonly [
  runId: string,
  tick: number | null,
  startedAt: number,
  duration: number | null,
  outcome: RecordedOutcome,
  instanceId: string,
  trigger: Trigger,
  error: string | null,
];

/**
 * Ticks that this instance skipped, or reported as missed: how many from the first to the last, and why. Those that it
 * skipped are equally far apart; other instances may have run them, or ticks in between.
 */
export type GapTuple = readonly [
  from: number,
  to: number,
  count: number,
  cause: string,
  told: 'skipped' | 'missed',
];

/** One job in the overview and on the timeline. */
export interface ShownJob {
  readonly name: string;
  /** Whether the name is a pattern, for which there is nothing to read. */
  readonly isPattern: boolean;
  /** Whether the answering instance declares the job, and so can run it. */
  readonly isDeclared: boolean;
  readonly schedule: ScheduleInfo;
  /** The time zone of its ticks: that of its schedule, or else that of the answering process. */
  readonly zone: string;
  /** The options in force on the answering instance; `null` if it does not declare the job. */
  readonly options: DeclaredJobInfo['options'] | null;
  /** Left out if the job has not been read. */
  readonly status?: JobStatus;
  /** Newest first. */
  readonly runs: readonly RunTuple[];
  /** The oldest tick on record that had the schedule of the newest one; `null` if that is not known. */
  readonly sameSince: number | null;
  /** Ticks that have passed without a record, and those to come, in order. */
  readonly ticks: readonly number[];
  readonly gaps: readonly GapTuple[];
}

/** The answer to `api/overview`. */
export interface Overview {
  /** The time of the server. */
  readonly now: number;
  /** How often to ask, in milliseconds. */
  readonly refresh: number;
  readonly actions: boolean;
  /** To be sent with the next request, so that the answer leaves out what has not changed. */
  readonly cursor: string;
  readonly trouble: Trouble | null;
  /** When each job was read, and the job. */
  readonly jobs: readonly (readonly [readAt: number, job: ShownJob])[];
}

/** Since when no node has answered. */
export interface Trouble {
  readonly since: number;
  readonly message: string;
}

/** The answer to `api/job`. */
export interface JobDetail {
  readonly readAt: number;
  readonly job: ShownJob;
  readonly records: readonly RunRecord[];
  readonly preview: readonly number[];
  /** Oldest instance first; `null` until a node has answered. */
  readonly declarations: readonly Declaration[] | null;
}

/** How one instance declares a job. */
export interface Declaration {
  readonly instanceId: string;
  readonly version: string;
  readonly declaredAs: string;
  readonly fingerprint: string;
  /**
   * Whether it differs from the declaration of the oldest instance. `'lasting'`: no update in progress explains that
   * (see `ShownDrift`).
   */
  readonly differs: 'no' | 'now' | 'lasting';
}

/** The answer to `api/fleet`; `null` until a node has answered. The health is newer than the list. */
export interface FleetView {
  readonly fleet: readonly ShownInstance[];
  readonly health: Health;
  readonly drift: readonly ShownDrift[];
  /** What this instance has reported, whether or not instances still disagree on it; newest first. */
  readonly reports: readonly {
    readonly at: number;
    readonly kind: DriftKind;
    readonly name: string | null;
    readonly message: string;
  }[];
}

/** An instance, and how many jobs it declares. */
export type ShownInstance = Omit<FleetInstance, 'jobs'> & { readonly jobs: number };

/** What instances disagree on now. */
export interface ShownDrift {
  readonly kind: DriftKind;
  /** The job that it is about, if it is about one. */
  readonly name: string | null;
  readonly message: string;
  /**
   * The instances that differ from the oldest one or, about a job, from the oldest one that declares the job; or those
   * that have the same `instanceId` as another one.
   */
  readonly instances: readonly string[];
  /** Whether instances that have been up for ten minutes disagree on it: no update in progress explains that. */
  readonly isLasting: boolean;
}

/** The answer to an action. */
export interface ActionOutcome {
  readonly name: string;
  /** `'waiting'`: the claim has not been decided yet. */
  readonly outcome: 'paused' | 'resumed' | 'finished' | 'failed' | 'skipped' | 'running' | 'waiting';
  readonly reason?: string;
}
