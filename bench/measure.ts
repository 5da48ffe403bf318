import { setTimeout as pause } from 'node:timers/promises';

/** One of several things that are measured in turns. */
export interface Subject {
  readonly name: string;
  /** Which build of this package is measured; otherwise it is something to compare with. */
  readonly build?: string;
  /** Does it once, and resolves to its figures; durations in milliseconds. */
  readonly once: () => Promise<Readonly<Record<string, number>>>;
  /** Resolves when nothing that it began is still going on: otherwise the next subject would pay for it. */
  readonly rest?: () => Promise<unknown>;
}

/** The figures of one subject: for each of them, one value a round. */
export interface Row extends Pick<Subject, 'name' | 'build'> {
  readonly rounds: Readonly<Record<string, readonly number[]>>;
}

/**
 * Measures all subjects in every round, in a new order each time, so that whatever else the machine does affects all
 * of them alike. The value of a round is the median of a batch.
 */
export async function takeTurns(
  subjects: readonly Subject[],
  { rounds, batch = 1, prepare }: { rounds: number; batch?: number; prepare?: () => void },
): Promise<Row[]> {
  const values = new Map<Subject, Record<string, number[]>>(subjects.map((subject) => [subject, {}]));
  for (let round = 0; round < rounds; round++) {
    prepare?.();
    for (const [subject, figures] of shuffled([...values])) {
      const samples = [];
      while (samples.length < batch) samples.push(await subject.once());
      for (const figure of Object.keys(samples[0] ?? {})) {
        const value = spreadOf(samples.map((sample) => sample[figure] ?? Number.NaN)).median;
        (figures[figure] ??= []).push(value);
      }
      await subject.rest?.();
    }
  }
  return Array.from(values, ([{ name, build }, figures]) => ({ name, build, rounds: figures }));
}

/** Resolves when this process has had nothing to do for a while: no timers of earlier calls, no replies to come. */
export async function quiet(): Promise<void> {
  const [interval, limit] = [30, 60_000];
  const begin = performance.now();
  for (let calm = 0; calm < 3 && performance.now() - begin < limit;) {
    const before = performance.now();
    await pause(interval);
    calm = performance.now() - before < interval + 10 ? calm + 1 : 0;
  }
}

export interface Spread {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  readonly min: number;
  readonly max: number;
  /** Contains the true median with a probability of 95 %. Infinite with fewer than six values. */
  readonly interval: { readonly low: number; readonly high: number };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const quantile = (part: number): number => {
    const at = (sorted.length - 1) * part;
    const [low, high] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
    return low + (high - low) * (at % 1);
  };
  // The order statistics that the median lies between, by the normal approximation of the binomial distribution.
  const rank = Math.floor(sorted.length / 2 - 0.98 * Math.sqrt(sorted.length));
  return {
    median: quantile(0.5),
    p25: quantile(0.25),
    p75: quantile(0.75),
    min: quantile(0),
    max: quantile(1),
    interval: {
      low: sorted[rank] ?? Number.NEGATIVE_INFINITY,
      high: sorted[sorted.length - 1 - rank] ?? Number.POSITIVE_INFINITY,
    },
  };
}

/** One figure relative to another of the same round, so that what both had to bear cancels out. */
export function ratiosOf(values: readonly number[] = [], base: readonly number[] = []): number[] {
  return values.map((value, round) => value / (base[round] ?? Number.NaN)).filter(Number.isFinite);
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
