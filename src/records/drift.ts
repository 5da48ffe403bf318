import { listed, quoted } from '../display.js';
import type { FleetInstance, FleetJob } from './fleet-card.js';

/** How long a rolling update may take, in milliseconds: until then, its instances may disagree. */
export const ROLLOUT = 10 * 60 * 1000;

/** What a drift is about: the list of nodes, an `instanceId` that several processes have, or a job. */
export type DriftKind = 'nodes' | 'instanceId' | 'job';

/** A disagreement between instances. */
export interface Drift {
  readonly kind: DriftKind;
  /** The job that it is about, if it is about one. */
  readonly name: string | null;
  readonly message: string;
  /** The instances that differ from the first one, or that have the same `instanceId` as another one. */
  readonly instances: readonly string[];
  /** Identifies the disagreement: for a job or the nodes, whichever instances it is between. */
  readonly key: string;
}

/** The instances that have been up for longer than a rolling update takes. */
export function established(fleet: readonly FleetInstance[], now: number): FleetInstance[] {
  return fleet.filter(({ startedAt }) => now - startedAt.getTime() >= ROLLOUT);
}

/** How long until one more instance is established, in milliseconds; `undefined` if all are. At most `ROLLOUT`. */
export function untilEstablished(fleet: readonly FleetInstance[], now: number): number | undefined {
  const waits = fleet
    .map(({ startedAt }) => ROLLOUT - (now - startedAt.getTime()))
    .filter((wait) => wait > 0);
  return waits.length > 0 ? Math.min(ROLLOUT, ...waits) : undefined;
}

/** Disagreements with the instance that has been up longest or, on a job, with the one that has declared it longest. */
export function driftOf(fleet: readonly FleetInstance[]): Drift[] {
  const oldestFirst = fleet.toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  const found: Drift[] = [];
  const [first, ...others] = oldestFirst;
  if (!first) return found;
  const elsewhere = others
    .filter((each) => nodesOf(each) !== nodesOf(first))
    .map(({ instanceId }) => instanceId);
  if (elsewhere.length > 0) {
    found.push({
      kind: 'nodes',
      name: null,
      message: `The instances do not use the same nodes, so their locks may not exclude each other: ${quoted(first.instanceId)} differs from ${listed(elsewhere)}`,
      instances: elsewhere,
      key: keyOf(null, oldestFirst.map(nodesOf)),
    });
  }
  const shared = sharedIds(oldestFirst);
  if (shared.length > 0) {
    found.push({
      kind: 'instanceId',
      name: null,
      message: `Several processes have the same instanceId, so records and log lines do not tell them apart: ${listed(shared)}. Give each its own, or leave the option out`,
      instances: shared,
      key: keyOf(null, ['instanceId', ...shared]),
    });
  }
  const declared = new Map<string, { readonly by: string; readonly job: FleetJob }>();
  const differing = new Map<string, { readonly instances: string[]; readonly jobs: FleetJob[] }>();
  for (const { instanceId, jobs } of oldestFirst) {
    for (const job of jobs) {
      const known = declared.get(job.name);
      if (!known) {
        declared.set(job.name, { by: instanceId, job });
      } else if (variantOf(known.job) !== variantOf(job)) {
        const drift = differing.get(job.name) ?? { instances: [], jobs: [known.job] };
        differing.set(job.name, drift);
        drift.instances.push(instanceId);
        drift.jobs.push(job);
      }
    }
  }
  for (const [name, { instances, jobs }] of differing) {
    const methods = new Set(jobs.map(({ declaredAs }) => declaredAs));
    const what =
      methods.size > 1
        ? "is declared by different methods: if these are two applications, they take each other's ticks, so give each its own keyPrefix"
        : 'has different schedules, time zones or options (compare jobs(), and TZ, on each instance)';
    const by = quoted(declared.get(name)?.by ?? '');
    found.push({
      kind: 'job',
      name,
      message: `Job ${quoted(name)} ${what}: ${by} differs from ${listed(instances)}`,
      instances,
      key: keyOf(name, jobs.map(variantOf)),
    });
  }
  return found;
}

/** Those that several processes have. In one process, an application may import the module several times. */
function sharedIds(fleet: readonly FleetInstance[]): string[] {
  const processes = new Map<string, Set<string>>();
  for (const { instanceId, host, pid } of fleet) {
    const known = processes.get(instanceId) ?? new Set();
    processes.set(instanceId, known.add(`${pid} ${host}`));
  }
  return [...processes].flatMap(([instanceId, { size }]) => (size > 1 ? [instanceId] : []));
}

function keyOf(name: string | null, variants: readonly string[]): string {
  return JSON.stringify([name, ...new Set(variants.toSorted())]);
}

function variantOf({ declaredAs, fingerprint }: FleetJob): string {
  return `${declaredAs} ${fingerprint}`;
}

function nodesOf({ nodes }: FleetInstance): string {
  return nodes.toSorted().join(' ');
}
