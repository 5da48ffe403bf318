// What the instances of a fleet disagree on.
import type { Json } from '../../page-data.js';
import type { FleetInstance } from '../../redlock-data.js';

export type Instance = Json<FleetInstance>;

/** What one instance thinks of a job. */
export interface Opinion {
  readonly instance: Instance;
  readonly declaredAs: string;
  readonly fingerprint: string;
  /** Whether it differs from the most common opinion. */
  readonly isOdd: boolean;
}

export function opinionsOn(name: string, fleet: readonly Instance[]): Opinion[] {
  const cards = fleet.flatMap((instance) =>
    instance.jobs.flatMap((job) => (job.name === name ? [{ instance, ...job }] : [])),
  );
  const usual = mostCommon(cards.map(({ declaredAs, fingerprint }) => `${declaredAs} ${fingerprint}`));
  return cards.map(({ instance, declaredAs, fingerprint }) => ({
    instance,
    declaredAs,
    fingerprint,
    isOdd: `${declaredAs} ${fingerprint}` !== usual,
  }));
}

/** What the instances disagree on, in words. */
export function disagreements(fleet: readonly Instance[]): string[] {
  const names = new Set(fleet.flatMap(({ jobs }) => jobs.map(({ name }) => name)));
  const ofJobs = [...names].flatMap((name) => {
    const odd = opinionsOn(name, fleet).filter(({ isOdd }) => isOdd);
    if (odd.length === 0) return [];
    const who = odd.map(({ instance }) => instance.instanceId).join(', ');
    return [`${name}: schedule, options or method differ on ${who}`];
  });
  const nodeLists = fleet.map(({ nodes }) => nodes.toSorted((a, b) => (a < b ? -1 : 1)).join(', '));
  const usual = mostCommon(nodeLists);
  const elsewhere = fleet.filter((_instance, index) => nodeLists[index] !== usual);
  if (elsewhere.length === 0) return ofJobs;
  return [`The nodes differ on ${elsewhere.map(({ instanceId }) => instanceId).join(', ')}`, ...ofJobs];
}

function mostCommon(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0];
}
