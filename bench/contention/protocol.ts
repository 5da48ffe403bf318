/** How the instances of a simulated fleet claim a tick. */
export type Way =
  /** `JobRunner` of this package: claim, run, settle. */
  | 'package'
  /** One `SET NX PX` of each instance. */
  | 'raw'
  /** What is usual: `acquire` of redlock 5 with `retryCount: 0`, and a run for who gets it. */
  | 'redlock';

/** What the benchmark tells a process full of instances. */
export type Order =
  | { readonly do: 'connect'; readonly ports: readonly number[]; readonly instances: number }
  | {
      readonly do: 'tick';
      readonly way: Way;
      readonly job: string;
      /** The tick, in milliseconds since the epoch. */
      readonly at: number;
      /** When all instances are called, by `monotonicNow`. */
      readonly callAt: number;
      /** How long the run of the winner takes, in milliseconds. */
      readonly work: number;
    };

/** What it answers. */
export type Answer =
  | { readonly is: 'ready' }
  | {
      readonly is: 'over';
      /** When the first instance was called, by `monotonicNow`. */
      readonly called: number;
      /** When the method of the winners started, if any of them is here. */
      readonly starts: readonly number[];
      /** How many commands the instances sent, as they count. */
      readonly sent: number;
    };

/** Milliseconds on a clock that all processes of this machine share. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
