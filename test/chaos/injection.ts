import { setTimeout as pause } from 'node:timers/promises';
import type { NodeFault, Span } from '../fleet/conditions.js';
import type { Fleet } from '../fleet/fleet.js';
import type { JobSpec } from '../fleet/instance.js';
import { monotonicNow } from '../fleet/log.js';
import type { ChaosNode } from './chaos-node.js';
import type { InstanceFaultPlan, NodeFaultKind, NodeFaultPlan, OrderPlan, Plan } from './plan.js';

/** How soon the instances must work with a node again that is back, in milliseconds, and somewhat more. */
const RETURN_TIME = 2500;
/** How many jobs a crowd has. */
const CROWD = 200;
/** How long claims may be late because of it, in milliseconds, on a busy machine. */
const CROWD_TIME = 4000;
/** How long to wait for a run to strike, in milliseconds. */
const AIM_TIME = 3000;

/** Carries out a plan of faults, and writes down what it did. */
export class Injection {
  readonly nodeFaults: NodeFault[] = [];
  /** When the connections to a node were forgotten. */
  readonly forgotten: NodeFault[] = [];
  readonly crowds: Span[] = [];
  /** How many faults and orders of each kind there were. */
  readonly counts = new Map<string, number>();

  /**
   * @param changing The job whose option `recover` changes.
   * @param say Tells people what happens.
   */
  constructor(
    private readonly fleet: Fleet,
    private readonly nodes: readonly ChaosNode[],
    private readonly changing: string,
    private readonly say: (text: string) => void,
  ) {}

  /**
   * Resolves when the last fault is over, and no job is paused any more. On a busy machine they take longer than planned; none begins after `duration`
   * milliseconds.
   */
  async carryOut({ nodeFaults, instanceFaults, orders }: Plan, duration: number): Promise<void> {
    const until = monotonicNow() + duration;
    await Promise.all([
      inTurn(nodeFaults, until, (fault) => this.strikeNodes(fault)),
      inTurn(instanceFaults, until, (fault) => this.strikeInstance(fault)),
      inTurn(orders, until, (plan) => this.give(plan)),
    ]);
    for (const job of new Set(orders.map(({ order }) => order.job))) await this.resume(job);
  }

  private async give({ order, instance }: OrderPlan): Promise<void> {
    const { kind, job, for: duration } = order;
    this.count(duration === undefined ? kind : 'pause for a while');
    const outcome = await this.fleet.at(instance).obey(order);
    this.say(
      `${kind} "${job}"${duration === undefined ? '' : ` for ${duration} ms`} (${instance}): ${outcome}`,
    );
  }

  private async resume(job: string): Promise<void> {
    for (let instance = 0; ; instance = (instance + 1) % this.fleet.size) {
      if ((await this.fleet.at(instance).obey({ kind: 'resume', job })) === 'done') return;
      await pause(100);
    }
  }

  private async strikeNodes(fault: NodeFaultPlan): Promise<void> {
    const { kind, nodes, lasts } = fault;
    const size = nodes.length > this.nodes.length / 2 ? 'majority' : 'minority';
    const details = nodes.join(', ');
    this.note(titleOf(kind, size), lasts > 0 ? `${details}, ${lasts} ms` : details);
    const from = monotonicNow();
    await Promise.all(nodes.map(async (node) => this.nodes[node]?.suffer(fault)));
    // Forgotten scripts are no excuse.
    if (kind === 'flush scripts') return;
    if (kind === 'forget connections') {
      this.forgotten.push(...nodes.map((node) => ({ node, from, until: monotonicNow() })));
      return;
    }
    const until = monotonicNow() + RETURN_TIME;
    this.nodeFaults.push(...nodes.map((node) => ({ node, from, until })));
  }

  private async strikeInstance(fault: InstanceFaultPlan): Promise<void> {
    const { kind, lasts, ahead } = fault;
    const { fleet } = this;
    const index = await this.aim(fault);
    switch (kind) {
      case 'crash':
        this.note('crash an instance', `${index}, back after ${lasts} ms`);
        await fleet.at(index).kill();
        await pause(lasts);
        await fleet.restart(index);
        return;
      case 'suspend':
        this.note('suspend an instance', `${index}, ${lasts} ms`);
        fleet.at(index).pause();
        await pause(lasts);
        fleet.at(index).resume();
        return;
      case 'set clock':
        this.note('set a clock', `${index}, ${ahead} ms ahead`);
        fleet.at(index).setClock(ahead);
        return;
      case 'full stop':
        this.note('stop the fleet', `all instances, ${lasts} ms`);
        await fleet.terminate();
        await pause(lasts);
        return restartAll(fleet);
      case 'crowd': {
        const name = `crowd ${(this.counts.get('crowd') ?? 0) + 1}`;
        this.note('crowd', `${CROWD} jobs on all instances`);
        for (let each = 0; each < fleet.size; each++) fleet.at(each).runCrowd({ name, size: CROWD });
        this.crowds.push({ from: monotonicNow(), until: monotonicNow() + CROWD_TIME });
        return;
      }
      case 'roll out':
        this.note('roll out', 'all instances');
        return this.rollOut(fleet.at(0).spec.jobs);
      case 'roll out recover': {
        const jobs = fleet.at(0).spec.jobs.map((job) => (job.name === this.changing ? flipped(job) : job));
        const now = jobs.find(({ name }) => name === this.changing)?.options?.recover;
        this.note('roll out recover', `${now} for "${this.changing}"`);
        return this.rollOut(jobs);
      }
    }
  }

  private async rollOut(jobs: readonly JobSpec[]): Promise<void> {
    const { fleet } = this;
    for (let each = 0; each < fleet.size; each++) {
      await fleet.at(each).terminate();
      await fleet.restart(each, jobs);
    }
  }

  /** The instance that runs the job at which a fault aims, in the middle of a run; or any. */
  private async aim({ inRunOf, instance }: InstanceFaultPlan): Promise<number> {
    if (inRunOf === undefined) return instance;
    const signal = AbortSignal.timeout(AIM_TIME);
    const run = await this.fleet.runInProgress(inRunOf, signal).catch(() => undefined);
    return run ? this.fleet.indexOf(run.instance) : instance;
  }

  private note(kind: string, details: string): void {
    this.count(kind);
    this.say(`${kind} (${details})`);
  }

  private count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}

async function restartAll(fleet: Fleet): Promise<void> {
  for (let each = 0; each < fleet.size; each++) await fleet.restart(each);
}

function titleOf(kind: NodeFaultKind, size: 'majority' | 'minority'): string {
  if (kind === 'flush scripts') return kind;
  return kind === 'forget connections'
    ? `${kind} to a ${size} of the nodes`
    : `${kind} a ${size} of the nodes`;
}

function flipped(job: JobSpec): JobSpec {
  return { ...job, options: { ...job.options, recover: !job.options?.recover } };
}

async function inTurn<T extends { after: number }>(
  faults: readonly T[],
  until: number,
  strike: (fault: T) => Promise<void>,
): Promise<void> {
  for (const fault of faults) {
    await pause(fault.after);
    if (monotonicNow() > until) return;
    await strike(fault);
  }
}
