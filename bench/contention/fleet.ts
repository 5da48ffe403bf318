import { setTimeout as pause } from 'node:timers/promises';
import type { RedisServer } from '../../test/engine/redis-server.js';
import { Child } from '../child.js';
import { type Answer, monotonicNow, type Order, type Way } from './protocol.js';

/** What became of one tick. */
export interface Tick {
  /** How long after the first call the first run started, in milliseconds; `undefined`: nobody ran it. */
  readonly start: number | undefined;
  readonly runs: number;
  /** How many commands the instances sent, as they count. */
  readonly sentByClients: number;
}

/** From the order to the call of the instances, in milliseconds. */
const NOTICE = 100;

/** Many instances in a few processes. */
export class Fleet {
  private contests = 0;

  private constructor(
    private readonly name: string,
    private readonly processes: readonly Child<Order, Answer>[],
  ) {}

  /** Resolves when all instances are connected. */
  static async start(servers: readonly RedisServer[], instances: number, processes: number): Promise<Fleet> {
    const count = Math.min(processes, instances);
    const children = Array.from({ length: count }, () => {
      return new Child<Order, Answer>('contention/fleet-process.js');
    });
    const ports = servers.map(({ port }) => port);
    await Promise.all(
      children.map((child, index) => {
        const share = Math.floor((instances + index) / count);
        return child.ask({ do: 'connect', ports, instances: share });
      }),
    );
    return new Fleet(`${instances}x${servers.length}`, children);
  }

  /** Lets all instances claim a new tick at the same moment. Resolves when all is over. */
  async tick(way: Way, work: number): Promise<Tick> {
    const order: Order = {
      do: 'tick',
      way,
      job: `${way}-${this.name}`,
      at: this.tickOf(++this.contests),
      callAt: monotonicNow() + NOTICE,
      work,
    };
    const answers = await Promise.all(this.processes.map((child) => child.ask(order)));
    // What was sent without waiting for the answer.
    await pause(50);
    const over = answers.filter((answer) => answer.is === 'over');
    const starts = over.flatMap((answer) => answer.starts);
    const called = Math.min(...over.map((answer) => answer.called));
    return {
      start: starts.length > 0 ? Math.min(...starts) - called : undefined,
      runs: starts.length,
      sentByClients: over.reduce((sum, answer) => sum + answer.sent, 0),
    };
  }

  private tickOf(contest: number): number {
    return (Math.floor(Date.now() / 1000) + contest) * 1000;
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((child) => child.stop()));
  }
}
