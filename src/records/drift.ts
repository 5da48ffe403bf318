import { listed, quoted } from '../display.js';
import type { FleetInstance } from './fleet-card.js';

/** How long a rolling update may take, in milliseconds: until then, its instances may disagree. */
export const ROLLOUT = 10 * 60 * 1000;

/** A disagreement between instances. */
export interface Drift {
  /** The job that it is about; `null`: the nodes. */
  readonly name: string | null;
  readonly message: string;
  /** The instances that do not agree with the first one. */
  readonly instances: readonly string[];
}

/** Disagreements between the instances that have been up for longer than a rolling update takes. */
export function driftOf(fleet: readonly FleetInstance[], now: number): Drift[] {
  const settled = fleet
    .filter(({ startedAt }) => now - startedAt.getTime() >= ROLLOUT)
    .toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  const found: Drift[] = [];
  const [first, ...others] = settled;
  if (!first) return found;
  const elsewhere = others
    .filter((each) => nodesOf(each) !== nodesOf(first))
    .map(({ instanceId }) => instanceId);
  if (elsewhere.length > 0) {
    found.push({
      name: null,
      message: `The instances do not use the same nodes, so their locks may not exclude each other: ${quoted(first.instanceId)} differs from ${listed(elsewhere)}`,
      instances: elsewhere,
    });
  }
  const declared = new Map<
    string,
    { readonly by: string; readonly as: string; readonly fingerprint: string }
  >();
  const differing = new Map<string, { readonly instances: string[]; isOtherMethod: boolean }>();
  for (const { instanceId, jobs } of settled) {
    for (const { name, declaredAs, fingerprint } of jobs) {
      const known = declared.get(name);
      if (!known) {
        declared.set(name, { by: instanceId, as: declaredAs, fingerprint });
      } else if (known.fingerprint !== fingerprint || known.as !== declaredAs) {
        const drift = differing.get(name) ?? { instances: [], isOtherMethod: false };
        differing.set(name, drift);
        drift.instances.push(instanceId);
        drift.isOtherMethod ||= known.as !== declaredAs;
      }
    }
  }
  for (const [name, { instances, isOtherMethod }] of differing) {
    const what = isOtherMethod
      ? "is declared by different methods: if these are two applications, they take each other's ticks, so give each its own keyPrefix"
      : 'has different schedules, time zones or options';
    const by = quoted(declared.get(name)?.by ?? '');
    found.push({
      name,
      message: `Job ${quoted(name)} ${what}: ${by} differs from ${listed(instances)}`,
      instances,
    });
  }
  return found;
}

function nodesOf({ nodes }: FleetInstance): string {
  return nodes.toSorted().join(' ');
}
