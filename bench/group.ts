import type { Build } from './builds.js';
import type { Row } from './measure.js';

/** What is measured in several settings, and printed as one table. */
export interface Group {
  readonly name: string;
  readonly title: string;
  readonly figures: Readonly<Record<string, Figure>>;
  /** The name of the subject that the others are compared with. */
  readonly reference?: string;
  readonly settings: readonly Setting[];
}

export interface Figure {
  /** Of the column. */
  readonly heading: string;
  /** One value a round, as a cell of the table. */
  readonly print: (values: readonly number[]) => string;
  /** Whether the table also has its ratio to the reference. */
  readonly ratio?: boolean;
  /** Whether `--against` compares it. Default: yes. */
  readonly compared?: boolean;
  /** The largest ratio to the figure of the other commit that is allowed. Default: `ALLOWED`. */
  readonly allowed?: number;
}

/** `locks:one-node` on the command line is the setting `one-node` of the group `locks`. */
export interface Setting {
  readonly name: string;
  readonly measure: (bench: Bench) => Promise<Row[]>;
}

/** What was asked for on the command line. */
export interface Bench {
  /** This build, and with `--against` that of another commit. */
  readonly builds: readonly Build[];
  /** Whether to measure other packages, too. `false` with `--against`. */
  readonly others: boolean;
  /** How many rounds to take instead of `full`: fewer with `--quick`. */
  readonly rounds: (full: number) => number;
}
