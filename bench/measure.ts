/** Many figures in short: the one in the middle, and how far they spread. */
export interface Spread {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** One of several things that are measured in turns. */
export interface Subject<Figure extends string> {
  readonly name: string;
  /** Does it once, and says what it took, in milliseconds. */
  once(): Promise<Readonly<Record<Figure, number>>>;
  /** Waits until nothing that it began is still going on: so that it is not paid for by the next one. */
  rest?(): Promise<void>;
}

/** The medians of all rounds of one subject, by figure. The n-th belongs to the n-th round. */
export interface Measured<Figure extends string> {
  readonly name: string;
  readonly rounds: Readonly<Record<Figure, readonly number[]>>;
}

export interface Turns {
  readonly rounds: number;
  /** How often each subject is measured in each round, one after another. */
  readonly batch: number;
  /** Before each round. */
  readonly prepare?: () => Promise<void>;
}

/**
 * Measures all subjects in every round, in a new order each time: what else the machine does then falls on all of them
 * alike. The figure of a round is the median of its batch.
 */
export async function takeTurns<Figure extends string>(
  subjects: readonly Subject<Figure>[],
  { rounds, batch, prepare }: Turns,
): Promise<Measured<Figure>[]> {
  const measured = subjects.map(({ name }) => ({ name, rounds: {} as Record<Figure, number[]> }));
  for (let round = 0; round < rounds; round++) {
    await prepare?.();
    for (const index of shuffled(subjects.length)) {
      const subject = subjects[index];
      const figures = subject && medians(await repeat(subject, batch));
      for (const [figure, value] of Object.entries(figures ?? {}) as [Figure, number][]) {
        const values = measured[index]?.rounds;
        if (values) (values[figure] ??= []).push(value);
      }
      await subject?.rest?.();
    }
  }
  return measured;
}

async function repeat<Figure extends string>(
  subject: Subject<Figure>,
  times: number,
): Promise<Readonly<Record<Figure, number>>[]> {
  const samples: Readonly<Record<Figure, number>>[] = [];
  for (let count = 0; count < times; count++) samples.push(await subject.once());
  return samples;
}

function medians<Figure extends string>(
  samples: readonly Readonly<Record<Figure, number>>[],
): Record<Figure, number> {
  const figures = Object.keys(samples[0] ?? {}) as Figure[];
  return Object.fromEntries(
    figures.map((figure) => [figure, median(samples.map((sample) => sample[figure]))]),
  ) as Record<Figure, number>;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    p25: quantile(sorted, 0.25),
    p75: quantile(sorted, 0.75),
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    count: sorted.length,
  };
}

export function median(values: readonly number[]): number {
  return spreadOf(values).median;
}

/** One figure against another of the same round, round by round: what both had to bear falls out. */
export function ratioOf(values: readonly number[], base: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / (base[round] ?? Number.NaN)));
}

/** The exponent `b` of `y = a * x ** b` that fits best: the slope on two logarithmic axes. */
export function exponentOf(points: readonly { readonly x: number; readonly y: number }[]): number {
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const mean = (of: (point: { x: number; y: number }) => number): number =>
    logs.reduce((sum, point) => sum + of(point), 0) / logs.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  return mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2);
}

function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low === undefined || high === undefined ? Number.NaN : low + (high - low) * (at - Math.floor(at));
}

/** The numbers from 0 to `count - 1` in some order. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_none, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}
