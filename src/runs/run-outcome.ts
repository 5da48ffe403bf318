/**
 * Why this instance did not run a job. `'elsewhere'`: another instance runs this tick, or waits
 * for a run in progress to run it then (`overlap: 'buffer-one'`). `'overlap'`: another run holds the
 * lock. `'settled'`: the tick, or a later one, has already been run. `'early'`: by the clocks of the nodes, the tick is due
 * only in more than 30 seconds. `'store-down'`: no majority of the nodes could be reached. `'overload'`: there were too many
 * claims at once for the nodes, or this process, to decide this one before the next tick was due. `'paused'`: the job is
 * paused. `'shutdown'`: the application is shutting down.
 */
export type SkipReason =
  'elsewhere' | 'overlap' | 'settled' | 'early' | 'store-down' | 'overload' | 'paused' | 'shutdown';

/** The result of a run: what the routine returned, or why this instance did not run it. */
export type RunOutcome<T> =
  | {
      /** This instance ran it. */
      readonly ran: true;
      /** What the routine returned, awaited. */
      readonly value: T;
    }
  | {
      /** This instance did not run it. */
      readonly ran: false;
      /** Why not. */
      readonly reason: SkipReason;
    };
