/** What names the job in an event. */
interface NamedJob {
  readonly name: string;
  readonly pattern: string;
}

/** The name of a job where there must not be too many: in labels of metrics, and as the names of spans. */
export type LabelOf = (job: NamedJob) => string;

/** The attributes of spans and metrics. A label `job` is reserved by Prometheus. */
export const JOB = {
  name: 'job.name',
  tick: 'job.tick',
  runId: 'job.run.id',
  instanceId: 'job.instance.id',
  trigger: 'job.trigger',
  outcome: 'job.outcome',
  skipReason: 'job.skip.reason',
  missedCause: 'job.missed.cause',
} as const;
