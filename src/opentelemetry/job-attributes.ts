/** What names the job in an event. */
interface NamedJob {
  readonly name: string;
  readonly pattern: string;
}

/** Returns the name of a job for labels of metrics and names of spans, of which there must not be too many. */
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
