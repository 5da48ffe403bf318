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

export type InstanceFaultKind = 'crash' | 'suspend' | 'set clock' | 'roll out' | 'roll out recover' | 'crowd';

export interface Plan {
  /** One after the other, each with the pause before it in milliseconds. */
  readonly nodeFaults: readonly (NodeFaultPlan & { readonly after: number })[];
  readonly instanceFaults: readonly (InstanceFaultPlan & { readonly after: number })[];
}

export interface PlanOptions {
  readonly seed: number;
  /** In milliseconds. */
  readonly duration: number;
  readonly nodeCount: number;
  readonly instanceCount: number;
  /** Jobs in the runs of which instances are struck. */
  readonly jobs: readonly string[];
  /** Whether nodes keep what they know when they are killed: one that forgets breaks the assumptions. */
  readonly durableNodes: boolean;
}

/** Draws faults by the seed: the same seed, the same plan. */
export function drawPlan(options: PlanOptions): Plan {
  const { seed, duration } = options;
  const forNodes = new Random(seed);
  const forInstances = new Random(seed ^ 0x5eed);
  return {
    nodeFaults: fill(duration, forNodes, 3000, () => drawNodeFault(forNodes, options)),
    instanceFaults: fill(duration, forInstances, 2000, () => drawInstanceFault(forInstances, options)),
  };
}

function fill<T extends { lasts: number }>(
  duration: number,
  random: Random,
  rest: number,
  draw: () => T,
): (T & { after: number })[] {
  const drawn: (T & { after: number })[] = [];
  for (let total = 0; ;) {
    const fault = { ...draw(), after: random.between(rest, rest + 3000) };
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
    'crowd',
  ]);
  const longest = kind === 'crash' ? 2000 : kind === 'suspend' ? 7000 : 0;
  return {
    kind,
    instance: random.between(0, instanceCount - 1),
    inRunOf: random.chance(0.75) ? random.pick(jobs) : undefined,
    lasts: random.between(Math.min(longest, 200), longest),
    ahead: random.between(-4000, 4000),
  };
}
