import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedlockModuleOptions } from '../../src/index.js';
import { RedisServer } from '../engine/redis-server.js';
import type { InstanceLife } from './conditions.js';
import { type History, historyOf, type Run } from './history.js';
import type { JobSpec } from './instance.js';
import { InstanceProcess, type OutputLine } from './instance-process.js';
import { type Entry, LOG_KEY } from './log.js';

export interface FleetOptions {
  /** One instance for each: by how many milliseconds its clock is ahead. */
  readonly clocks: readonly number[];
  /** The options of `RedlockModule.forRoot`; a `ttl` in milliseconds. */
  readonly module: RedlockModuleOptions & { readonly ttl?: number };
  readonly jobs: readonly JobSpec[];
  /** Whether to log calls too, and not only runs. Default: `false`. */
  readonly logCalls?: boolean;
  /** How many instances may be starting at the same time. Default: all of them. */
  readonly startingAtOnce?: number;
}

/** Several instances of one application, as processes, and the log of what their jobs do. */
export class Fleet {
  private readonly processes: InstanceProcess[] = [];
  private readonly current: InstanceProcess[] = [];

  private constructor(
    private readonly options: FleetOptions,
    private readonly logServer: RedisServer,
    private readonly log: Redis,
  ) {}

  /** Resolves when all instances are ready. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const server = await RedisServer.start();
    const fleet = new Fleet(options, server, new Redis(server.url));
    const waiting = options.clocks.map((_clock, index) => index);
    const startSome = async (): Promise<void> => {
      for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) await fleet.boot(index);
    };
    const atOnce = options.startingAtOnce ?? options.clocks.length;
    try {
      await Promise.all(Array.from({ length: atOnce }, startSome));
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  /** The jobs as the instances had them at first. */
  get jobs(): readonly JobSpec[] {
    return this.options.jobs;
  }

  /** The lease of a job that has none of its own, in milliseconds. */
  get ttl(): number {
    return this.options.module.ttl ?? 30_000;
  }

  get size(): number {
    return this.options.clocks.length;
  }

  /** The process that is the instance at this place now. */
  at(index: number): InstanceProcess {
    const instance = this.current[index];
    if (!instance) throw new Error(`There is no instance ${index}`);
    return instance;
  }

  /** Which instance a process of this name is, or was. */
  indexOf(name: string): number {
    return Number(name.split('.')[0]);
  }

  /**
   * Starts an instance again, with the clock it had at first. Resolves when it is ready.
   *
   * @param jobs Default: those it had.
   */
  async restart(index: number, jobs = this.at(index).spec.jobs): Promise<InstanceProcess> {
    await this.at(index).kill();
    return this.boot(index, jobs);
  }

  /** Starts an instance again each time it has died of itself, until `signal` aborts. */
  async restartTheDead(signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.options.clocks.map(async (_clock, index) => {
        const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        while (!signal.aborted) {
          await Promise.race([this.at(index).gone, aborted]);
          if (!signal.aborted) await this.boot(index, this.at(index).spec.jobs);
        }
      }),
    );
  }

  async entries(): Promise<Entry[]> {
    const lines = await this.log.lrange(LOG_KEY, 0, -1);
    return lines.map((line) => JSON.parse(line) as Entry);
  }

  async history(): Promise<History> {
    return historyOf(await this.entries());
  }

  /** Waits for a run of `job` that goes on now, on a process that does. Rejects when `signal` aborts. */
  async runInProgress(job: string, signal?: AbortSignal): Promise<Run> {
    for (;;) {
      signal?.throwIfAborted();
      const { runs } = await this.history();
      const last = runs.findLast((run) => run.job === job);
      const isOpen =
        last && last.end === undefined && this.at(this.indexOf(last.instance)).spec.name === last.instance;
      if (isOpen && this.at(this.indexOf(last.instance)).isRunning) return last;
      await pause(10);
    }
  }

  /** Waits for the next run of `job` that starts after `moment`, on the monotonic clock. */
  async runAfter(moment: number, job: string): Promise<Run> {
    for (;;) {
      const { runs } = await this.history();
      const next = runs.find((run) => run.job === job && run.start > moment);
      if (next) return next;
      await pause(10);
    }
  }

  /** All processes that there have been. */
  lives(): InstanceLife[] {
    return this.processes.map(({ life }) => life);
  }

  /** All that was printed, of all processes. */
  output(): OutputLine[] {
    return this.processes.flatMap(({ output }) => output).toSorted((a, b) => a.at - b.at);
  }

  /** What was printed once a process was ready, and before it was asked to stop. */
  outputWhileUp(): OutputLine[] {
    return this.processes.flatMap(({ output, life: { up } }) =>
      output.filter(({ at }) => at > up.from && at < up.until),
    );
  }

  /** Asks all instances to shut down, and waits until they have. The log can still be read. */
  async terminate(): Promise<void> {
    await Promise.all(this.current.map((instance) => instance.terminate()));
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await Promise.all(this.processes.map((instance) => instance.kill()));
    this.log.disconnect();
    await this.logServer.stop();
  }

  private async boot(index: number, jobs = this.jobs): Promise<InstanceProcess> {
    const { module, clocks, logCalls = false } = this.options;
    const generation = this.processes.filter(({ spec }) => this.indexOf(spec.name) === index).length;
    const name = `${index}.${generation}`;
    const spec = { name, logUrl: this.logServer.url, module, jobs, logCalls };
    const instance = new InstanceProcess(spec, clocks[index] ?? 0);
    this.processes.push(instance);
    this.current[index] = instance;
    await instance.ready();
    return instance;
  }
}
