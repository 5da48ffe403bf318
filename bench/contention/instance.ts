import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import Redlock from 'redlock';
import { Acquirer } from '../../src/acquire/acquirer.js';
import type { LockNode } from '../../src/nodes/lock-node.js';
import { createNodes } from '../../src/nodes/create-nodes.js';
import { createStore } from '../../src/acquire/create-store.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { JobRunner } from '../../src/services/job-runner.service.js';
import { LeaseRegistry } from '../../src/services/lease-registry.service.js';
import { OperatorLog } from '../../src/services/operator-log.service.js';
import { RedlockEvents } from '../../src/services/redlock-events.service.js';
import { TTL } from '../contenders/contender.js';
import { monotonicNow, type Way } from './protocol.js';

/** A connection that counts what it sends. */
class CountingRedis extends Redis {
  sent = 0;

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    this.sent++;
    return super.sendCommand(...args);
  }
}

/** A tick that instances contend for. */
export interface Contest {
  readonly job: string;
  readonly at: number;
  readonly work: number;
}

/** How long the marker of a tick lives, in milliseconds. */
const KEEP = 60_000;

/**
 * One of many instances in one process: the same objects that `RedlockModule` makes, without an application around
 * them, over connections of its own.
 */
export class Instance {
  private readonly runner: JobRunner;
  private readonly redlock: Redlock;
  private readonly options;
  private readonly voters: readonly LockNode[];

  private constructor(private readonly clients: readonly CountingRedis[]) {
    // Hundreds of instances share a processor here: a node that answers in time must not seem to be late.
    this.options = resolveOptions({ nodes: clients, nodeTimeout: '10s', ttl: TTL });
    const { nodes, nodeTimeout } = this.options;
    this.voters = createNodes(nodes, { nodeTimeout, connectionName: 'bench' });
    const log = new OperatorLog(this.options);
    const leases = new LeaseRegistry(new Acquirer(createStore(this.voters), nodeTimeout), log);
    this.runner = new JobRunner(this.options, leases, new RedlockEvents(), log);
    this.redlock = new Redlock([...clients], { retryCount: 0 });
  }

  static async connect(ports: readonly number[]): Promise<Instance> {
    const clients = ports.map((port) => new CountingRedis({ host: '127.0.0.1', port, lazyConnect: true }));
    await Promise.all(clients.map((client) => client.connect()));
    const instance = new Instance(clients);
    // As the module does at start: a node whose clock is not known is asked its first question twice.
    await Promise.all(instance.voters.map((voter) => voter.open()));
    return instance;
  }

  get sent(): number {
    return this.clients.reduce((sum, { sent }) => sum + sent, 0);
  }

  /** Claims, and runs if it wins. Resolves to when the run started, by `monotonicNow`; `undefined`: it lost. */
  contend(way: Way, contest: Contest): Promise<number | undefined> {
    switch (way) {
      case 'package':
        return this.run(contest);
      case 'raw':
        return this.set(contest);
      case 'redlock':
        return this.acquire(contest);
    }
  }

  private async run({ job, at, work }: Contest): Promise<number | undefined> {
    let started: number | undefined;
    const tick = { at, next: at + KEEP, keep: KEEP };
    await this.runner.run({ name: job, tick, options: this.options.job }, async () => {
      started = monotonicNow();
      await pause(work);
    });
    return started;
  }

  private async set({ job, at }: Contest): Promise<number | undefined> {
    const answers = await Promise.all(
      this.clients.map((client) => client.set(`raw:${job}:${at}`, 'token', 'PX', TTL, 'NX')),
    );
    return answers.every((answer) => answer === 'OK') ? monotonicNow() : undefined;
  }

  private async acquire({ job, at }: Contest): Promise<number | undefined> {
    try {
      await this.redlock.acquire([`redlock:${job}:${at}`], TTL);
      return monotonicNow();
    } catch {
      return undefined;
    }
  }
}
