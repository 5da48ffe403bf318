import { setTimeout as pause } from 'node:timers/promises';
import { Child } from '../child.js';
import { realNow } from '../clock.js';
import { type Answer, type Instances, monotonicNow, type Order } from './protocol.js';

/** The least time between the order and the tick, in milliseconds. */
const NOTICE = 300;

/** Instances in one or several processes. */
export class Fleet {
  private constructor(private readonly children: readonly Child<Order, Answer>[]) {}

  /** Resolves when all instances are connected, and have claimed once. */
  static async start({ count, ...options }: Instances, processes: number): Promise<Fleet> {
    const children = Array.from({ length: processes }, (_none, index) => {
      const instances = { ...options, count: Math.floor((count + index) / processes) };
      return new Child<Order, Answer>('fleet/fleet-process.js', [JSON.stringify(instances)]);
    });
    await Promise.all(children.map((child) => child.answer()));
    const fleet = new Fleet(children);
    await fleet.claim(['warm-up'], 0);
    return fleet;
  }

  /**
   * Lets all instances claim a new tick of each job at the same moment. Resolves, when all is over, to the number of
   * jobs that ran on no instance (`missed`) and on more than one (`twice`), and to when the last run started (`last`),
   * in milliseconds after the tick.
   */
  async claim(jobs: readonly string[], work: number, spread?: number) {
    const now = realNow();
    const tick = Math.ceil((now + NOTICE) / 1000) * 1000;
    const due = monotonicNow() + tick - now;
    const answers = await Promise.all(
      this.children.map((child) => child.ask({ jobs, tick, due, work, spread })),
    );
    // Commands whose replies nobody awaits need time to finish.
    await pause(50);
    const runs = answers.flatMap((answer) => answer.runs);
    const counts = new Map<string, number>();
    for (const { job } of runs) counts.set(job, (counts.get(job) ?? 0) + 1);
    const last = runs.reduce(
      (latest, { startedAt }) => Math.max(latest, startedAt),
      Number.NEGATIVE_INFINITY,
    );
    return {
      last: last - due,
      missed: jobs.length - counts.size,
      twice: [...counts.values()].filter((count) => count > 1).length,
      storeDown: answers.reduce((sum, { storeDown }) => sum + storeDown, 0),
      inFlight: Math.max(...answers.map(({ inFlight }) => inFlight)),
      loopDelay: Math.max(...answers.map(({ loopDelay }) => loopDelay)),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.stop()));
  }
}
