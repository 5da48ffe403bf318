/**
 * Why a claim was lost. `'elsewhere'`: another instance runs this tick. `'overlap'`: another run holds the lock.
 * `'settled'`: the tick, or a later one, has been run. `'early'`: by the clocks of the nodes, the tick is due only in more
 * than 30 seconds. `'store-down'`: no majority of the nodes could be reached.
 */
export type LossReason = 'elsewhere' | 'overlap' | 'settled' | 'early' | 'store-down';

/** Why a run did not take place here: a claim was lost, or the application is shutting down (`'shutdown'`). */
export type SkipReason = LossReason | 'shutdown';

/** What became of a run: the value of the routine, or why this instance did not run it. */
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
