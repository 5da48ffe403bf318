import type { Order } from '../fleet/log.js';
import { Random } from './random.js';

/** A fault of some of the nodes. Durations in milliseconds. */
export interface NodeFaultPlan {
  readonly kind: NodeFaultKind;
  readonly nodes: readonly number[];
  readonly lasts: number;
  /** For `slow`: how long data is under way, in each direction. */
  readonly delay: number;
}

/**
 * - `kill`: SIGKILL, and a restart with what was on disk.
 * - `hang`: SIGSTOP and SIGCONT.
 * - `slow`: all data is delayed. `sever`: connections are cut, and refused for a while.
 * - `deafen`: commands arrive, replies get lost, and then the connections are cut.
 * - `forget connections`: the network forgets the connections that there are, as a load balancer or a NAT does with idle
 *   ones. All that is sent on them is lost, and nobody is told; new ones work at once.
 * - `flush scripts`: the server forgets its scripts.
 */
export type NodeFaultKind =
  'kill' | 'hang' | 'slow' | 'sever' | 'deafen' | 'forget connections' | 'flush scripts';

/** A fault of an instance. Durations in milliseconds. */
export interface InstanceFaultPlan {
  /**
   * - `crash`: SIGKILL and a restart. `suspend`: SIGSTOP and SIGCONT. `set clock`: a step of its wall clock.
   * - `roll out`: SIGTERM and a restart, of one instance after the other.
   * - `roll out recover`: the same, and from then on one job has the other value of its option `recover`.
   * - `full stop`: SIGTERM for all instances, and a restart of one after the other.
   * - `crowd`: all instances claim 200 other jobs in one turn of their event loops.
   */
  readonly kind: InstanceFaultKind;
  /** Whom it strikes, if it is not the one that runs `inRunOf` at that time. */
  readonly instance: number;
  readonly inRunOf: string | undefined;
  readonly lasts: number;
  /** For `set clock`: by how many milliseconds it is ahead from then on. */
  readonly ahead: number;
}

export type InstanceFaultKind =
  'crash' | 'suspend' | 'set clock' | 'roll out' | 'roll out recover' | 'full stop' | 'crowd';

/** What an operator orders. */
export interface OrderPlan {
  readonly order: Order;
  /** Whom. */
  readonly instance: number;
  /** It takes no time of its own. */
  readonly lasts: 0;
}

export interface Plan {
  /** One after the other, each with the pause before it in milliseconds. */
  readonly nodeFaults: readonly (NodeFaultPlan & { readonly after: number })[];
  readonly instanceFaults: readonly (InstanceFaultPlan & { readonly after: number })[];
  readonly orders: readonly (OrderPlan & { readonly after: number })[];
}

export interface PlanOptions {
  readonly seed: number;
  /** In milliseconds. */
  readonly duration: number;
  readonly nodeCount: number;
  readonly instanceCount: number;
  /** Jobs in the runs of which instances are struck. */
  readonly jobs: readonly string[];
  /** Jobs that are paused, resumed and triggered. */
  readonly steered: readonly string[];
  /** Whether nodes keep what they know when they are killed: one that forgets breaks the assumptions. */
  readonly durableNodes: boolean;
}

/** Draws faults and orders by the seed: the same seed, the same plan. */
export function drawPlan(options: PlanOptions): Plan {
  const { seed, duration } = options;
  const forNodes = new Random(seed);
  const forInstances = new Random(seed ^ 0x5eed);
  const forOperators = new Random(seed ^ 0x09e7);
  return {
    nodeFaults: fill(duration, forNodes, 3000, 3000, () => drawNodeFault(forNodes, options)),
    instanceFaults: fill(duration, forInstances, 2000, 3000, () => drawInstanceFault(forInstances, options)),
    orders: fill(duration, forOperators, 200, 1500, () => drawOrder(forOperators, options)),
  };
}

function fill<T extends { lasts: number }>(
  duration: number,
  random: Random,
  rest: number,
  more: number,
  draw: () => T,
): (T & { after: number })[] {
  const drawn: (T & { after: number })[] = [];
  for (let total = 0; ;) {
    const fault = { ...draw(), after: random.between(rest, rest + more) };
    total += fault.after + fault.lasts;
    if (total > duration) return drawn;
    drawn.push(fault);
  }
}

function drawNodeFault(random: Random, { nodeCount, durableNodes }: PlanOptions): NodeFaultPlan {
  const kinds: NodeFaultKind[] = ['hang', 'slow', 'sever', 'deafen', 'forget connections', 'flush scripts'];
  const kind = random.pick(durableNodes ? ['kill' as const, 'kill' as const, ...kinds] : kinds);
  const isMoment = kind === 'forget connections' || kind === 'flush scripts';
  const minority = Math.ceil(nodeCount / 2) - 1;
  const count = random.chance(0.65) ? random.between(1, minority) : random.between(minority + 1, nodeCount);
  return {
    kind,
    nodes: random.sample(kind === 'flush scripts' ? nodeCount : count, nodeCount),
    lasts: isMoment ? 0 : random.between(300, 6000),
    delay: random.between(20, 200),
  };
}

function drawInstanceFault(random: Random, { instanceCount, jobs }: PlanOptions): InstanceFaultPlan {
  const kind = random.pick<InstanceFaultKind>([
    'crash',
    'crash',
    'suspend',
    'suspend',
    'set clock',
    'roll out',
    'roll out recover',
    'full stop',
    'crowd',
  ]);
  const longest = { crash: 2000, suspend: 7000, 'full stop': 5000 }[kind as string] ?? 0;
  return {
    kind,
    instance: random.between(0, instanceCount - 1),
    inRunOf: random.chance(0.75) ? random.pick(jobs) : undefined,
    lasts: random.between(Math.min(longest, 200), longest),
    ahead: random.between(-4000, 4000),
  };
}

/** Mostly pauses, which others end: a job is paused for about half the time. */
const KINDS = ['pause', 'pause', 'pause', 'resume', 'resume', 'trigger', 'trigger'] as const;

function drawOrder(random: Random, { instanceCount, steered }: PlanOptions): OrderPlan {
  const kind = random.pick<Order['kind']>(KINDS);
  const duration = random.between(500, 6000);
  const isBounded = random.chance(0.5);
  const order = {
    kind,
    job: random.pick(steered),
    for: kind === 'pause' && isBounded ? duration : undefined,
  };
  return { order, instance: random.between(0, instanceCount - 1), lasts: 0 };
}
