import type { SkipReason } from '../runs/run-outcome.js';

/** What became of a tick here. `'unguarded'`: it ran without a quorum (`onStoreDown: 'run'`). */
type Fate = SkipReason | 'unguarded';

/** Consecutive ticks with the same fate. Times are in milliseconds since the epoch. */
interface Skipped {
  readonly from: number;
  to: number;
  readonly fate: Fate;
  /** The token that held the lock, if there was one. */
  readonly holder: string | undefined;
}

/** How many changes of the fate are remembered for each job. */
const MOST = 50;

/** What became of the ticks of a job on this instance since it last won one (takeovers aside). */
export class SkippedTicks {
  private readonly ranges: Skipped[] = [];

  /** @param holder The token that held the lock, if there was one. */
  add(tick: number, fate: Fate, holder?: string): void {
    // If a claim of the same tick is made again, as by a decorator that retries, its new fate replaces the old one.
    const newest = this.ranges.at(-1);
    if (newest?.from === tick && newest.to === tick) this.ranges.pop();
    const last = this.ranges.at(-1);
    // Claims may be decided out of order. If a later tick is already noted, a longer range could hide its fate.
    const isNewest = this.ranges.every(({ to }) => to <= (last?.to ?? to));
    if (last?.fate === fate && last.holder === holder && isNewest && tick >= last.to) last.to = tick;
    else this.ranges.push({ from: tick, to: tick, fate, holder });
    if (this.ranges.length > MOST) this.ranges.shift();
  }

  at(tick: number): Skipped | undefined {
    // The last range counts: an earlier one may end with the old fate of a tick.
    return this.ranges.findLast(({ from, to }) => from <= tick && tick <= to);
  }
}
