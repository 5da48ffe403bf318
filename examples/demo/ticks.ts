/** The ticks of the job, and who ran them. */
import { setTimeout as delay } from 'node:timers/promises';

/** The job runs every two seconds: as the `@Cron` in `instance.ts` says. */
export const PERIOD = 2000;
/** A timer may fire a little before its time. */
const EARLY = 100;

export interface Tally {
  readonly ticks: number;
  readonly runs: number;
  readonly duplicates: number;
  readonly missed: number;
}

/** The ticks to come, in milliseconds since the epoch. */
export function nextTicks(count: number): number[] {
  const first = tickOf(Date.now()) + PERIOD;
  return Array.from({ length: count }, (_, index) => first + index * PERIOD);
}

/** Which instances ran which tick. */
export class RunLog {
  private readonly namesByTick = new Map<number, string[]>();

  /** The instance `name` ran the job at that time. */
  add(name: string, at: number): void {
    const tick = tickOf(at);
    this.namesByTick.set(tick, [...this.whoRan(tick), name]);
  }

  whoRan(tick: number): readonly string[] {
    return this.namesByTick.get(tick) ?? [];
  }

  /** Resolves when the run of that tick begins; without one, half a period later, to `undefined`. */
  async firstToRun(tick: number): Promise<string | undefined> {
    while (this.whoRan(tick).length === 0 && Date.now() < tick + PERIOD / 2) await delay(5);
    return this.whoRan(tick)[0];
  }

  tally(ticks: readonly number[]): Tally {
    const runsPerTick = ticks.map((tick) => this.whoRan(tick).length);
    return {
      ticks: ticks.length,
      runs: sum(runsPerTick),
      duplicates: sum(runsPerTick.map((runs) => Math.max(runs - 1, 0))),
      missed: runsPerTick.filter((runs) => runs === 0).length,
    };
  }
}

function tickOf(at: number): number {
  return Math.floor((at + EARLY) / PERIOD) * PERIOD;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
