/**
 * Why this instance did not run a job. `'elsewhere'`: another instance runs this tick or interval, or waits to run it
 * when the run in progress ends (`overlap: 'buffer-one'`), or the votes stayed split until this instance gave up.
 * `'overlap'`: another run holds the lock. `'settled'`: the tick, a later one, or the interval has already had its run.
 * `'early'`: by the clocks of the nodes, the tick is due more than 30 seconds later than by the clock of this instance.
 * `'store-down'`: no majority of the nodes voted. `'overload'`: there were too many claims at once for the
 * nodes or for this process, and this claim was still undecided when the next tick was due and four times `nodeTimeout`
 * had passed. `'paused'`: the job is paused. `'shutdown'`: the application is shutting down, and the call is not part
 * of a run that the shutdown waits for.
 */
export type SkipReason =
  'elsewhere' | 'overlap' | 'settled' | 'early' | 'store-down' | 'overload' | 'paused' | 'shutdown';

/** The result of a run: what the routine returned, or why this instance did not run it. */
export type RunOutcome<T> =
  // Each member has the property of the other: without `strictNullChecks`, `!outcome.ran` does not tell them apart.
  | {
      /** This instance ran it. */
      readonly ran: true;
      /** What the routine returned, awaited. */
      readonly value: T;
      /** Absent: it ran. */
      readonly reason?: never;
    }
  | {
      /** This instance did not run it. */
      readonly ran: false;
      /** Absent: it did not run. */
      readonly value?: never;
      /** Why not. */
      readonly reason: SkipReason;
    };
