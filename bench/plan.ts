/** How much of everything is measured. */
export interface Plan {
  readonly name: 'full' | 'quick';
  /** Locks of all contenders: on how many nodes, in how many rounds of how many cycles each. */
  readonly locks: { readonly nodes: readonly number[]; readonly rounds: number; readonly batch: number };
  /** From the scheduler's call to the first line of the method; `pause`: before each call, in milliseconds. */
  readonly starts: {
    readonly jobs: number;
    readonly rounds: number;
    readonly pausedCalls: number;
    readonly pause: number;
  };
  /** Many jobs on the same tick, in one instance. */
  readonly jobs: readonly Size[];
  /** Many instances for one tick. */
  readonly contention: {
    readonly nodes: readonly number[];
    readonly processes: number;
    readonly sizes: readonly Size[];
  };
  /** One slow node of three; `delay` in milliseconds. */
  readonly slowNode: {
    readonly delay: number;
    readonly rounds: number;
    readonly batch: number;
    readonly waitingBatch: number;
    readonly jobs: number;
    readonly tickRounds: number;
  };
  /** Many ticks, one after another, of `jobs` jobs at a time. */
  readonly endurance: { readonly ticks: number; readonly jobs: number };
}

/** How many there are at once, and how often that is measured. */
export interface Size {
  readonly count: number;
  readonly rounds: number;
  /** Only on one node. */
  readonly oneNodeOnly?: boolean;
}

const FULL: Plan = {
  name: 'full',
  locks: { nodes: [1, 3, 5], rounds: 40, batch: 150 },
  starts: { jobs: 40, rounds: 30, pausedCalls: 10, pause: 75 },
  jobs: [
    { count: 10, rounds: 15 },
    { count: 100, rounds: 15 },
    { count: 1000, rounds: 12 },
    { count: 10_000, rounds: 4 },
  ],
  contention: {
    nodes: [1, 5],
    processes: 4,
    sizes: [
      { count: 10, rounds: 10 },
      { count: 100, rounds: 10 },
      { count: 1000, rounds: 6 },
      { count: 10_000, rounds: 3, oneNodeOnly: true },
    ],
  },
  slowNode: { delay: 200, rounds: 15, batch: 100, waitingBatch: 3, jobs: 30, tickRounds: 15 },
  endurance: { ticks: 100_000, jobs: 100 },
};

const QUICK: Plan = {
  name: 'quick',
  locks: { nodes: [1, 3, 5], rounds: 6, batch: 50 },
  starts: { jobs: 40, rounds: 5, pausedCalls: 5, pause: 75 },
  jobs: [
    { count: 10, rounds: 3 },
    { count: 100, rounds: 3 },
    { count: 1000, rounds: 2 },
  ],
  contention: {
    nodes: [1, 5],
    processes: 4,
    sizes: [
      { count: 10, rounds: 3 },
      { count: 100, rounds: 3 },
      { count: 1000, rounds: 1, oneNodeOnly: true },
    ],
  },
  slowNode: { delay: 200, rounds: 4, batch: 30, waitingBatch: 1, jobs: 10, tickRounds: 3 },
  endurance: { ticks: 5000, jobs: 100 },
};

/** `BENCH_QUICK=1`: a fast pass over everything, to see that it works; its figures are rough. */
export const plan: Plan = process.env['BENCH_QUICK'] === '1' ? QUICK : FULL;
