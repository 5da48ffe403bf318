/** A node, as this instance sees it. */
export interface NodeHealth {
  /** Its address, without a password. */
  readonly address: string;
  /**
   * Whether it answered when this instance last renewed its entry in the register of instances. That is not a claim: a
   * node that refuses only claims, for example because its user may not call `set`, counts as one that votes; the log
   * names it. A Cluster of which only the server with the register is in trouble counts as well: it votes on the jobs
   * of its other servers.
   */
  readonly votes: boolean;
  /** Since when that has been so. */
  readonly since: Date;
  /** How long its last answer took, in milliseconds; `null` if it did not renew the entry. */
  readonly latency: number | null;
  /** Its clock minus that of this instance, in milliseconds; `null` if that is not known. */
  readonly clockOffset: number | null;
  /** Why it did not renew the entry, although it may vote; `null` if it did. */
  readonly trouble: string | null;
}

/** A job that should have run by now, and has not. */
export interface OverdueJob {
  /** The name of the job. */
  readonly name: string;
  /** How long a run has been due, in milliseconds. */
  readonly by: number;
}

/** The state of the nodes and the jobs, as this instance sees it. */
export interface Health {
  /**
   * Whether a majority of the nodes votes (see `NodeHealth.votes`). Without one, no job runs, except with
   * `onStoreDown: 'run'` or if the nodes refuse only the register. With one, a node may still refuse some jobs.
   */
  readonly quorum: boolean;
  /** The nodes, in the order of the option. */
  readonly nodes: readonly NodeHealth[];
  /** The jobs that are overdue, and by how many milliseconds. */
  readonly overdue: readonly OverdueJob[];
}
